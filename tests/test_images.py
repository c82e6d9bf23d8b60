"""Pictures in files: exact round trips, upright pixels, strict decoding, atomic writing."""

from __future__ import annotations

import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import scene
from PIL import Image, ImageOps

from irflow_cli.errors import ImageError
from irflow_cli.runtime.images import Picture, encode_picture, find_pictures, read_picture, write_atomically


def stored(tmp_path: Path, data: bytes, name: str = "picture.png") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_round_trips_are_exact(kind: str, dtype: type, channels: int, alpha: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = (9, 13) if channels == 1 else (9, 13, 3)
    top = np.iinfo(dtype).max
    picture = Picture(
        rng.integers(0, top + 1, shape).astype(dtype),
        rng.integers(0, top + 1, (9, 13)).astype(dtype) if alpha else None,
        kind,
    )
    back = read_picture(stored(tmp_path, encode_picture(picture, kind)))
    grey_became_colour = picture.pixels.ndim == 2 and back.pixels.ndim == 3  # 16-bit grey with alpha has no file format
    expected = np.repeat(picture.pixels[..., None], 3, 2) if grey_became_colour else picture.pixels
    assert grey_became_colour == (channels == 1 and alpha and dtype == np.uint16)
    assert np.array_equal(back.pixels, expected)
    assert back.pixels.dtype == dtype
    assert (back.alpha is None) == (not alpha)
    if picture.alpha is not None and back.alpha is not None:
        assert np.array_equal(back.alpha, picture.alpha)


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_stand_upright(turn: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / "turned.png"
    Image.fromarray(scene(12, 20)).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    picture = read_picture(path)
    assert np.array_equal(picture.pixels, expected)
    again = read_picture(stored(tmp_path, encode_picture(picture, "PNG"), "again.png"))
    assert np.array_equal(again.pixels, expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_usual_mode_is_read(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("picture.tiff" if mode == "CMYK" else "picture.png")
    Image.fromarray(scene(10, 12)).convert(mode).save(path)
    picture = read_picture(path)
    assert picture.pixels.shape == ((10, 12) if mode in ("1", "L", "LA") else (10, 12, 3))
    assert (picture.alpha is not None) == (mode in ("LA", "RGBA"))
    assert picture.rgb8().shape == (10, 12, 3)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(scene(8, 8)).save(buffer, "WEBP")
    assert read_picture(stored(tmp_path, buffer.getvalue(), "named.png")).format == "WEBP"


def _gif() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.fromarray(scene(8, 8, seed)) for seed in range(3)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def _jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(scene(64, 64)).save(buffer, "JPEG")
    return buffer.getvalue()


def _truncated_png16() -> bytes:
    data = cv2.imencode(".png", np.random.default_rng(0).integers(0, 65536, (40, 40, 3)).astype(np.uint16))[1].tobytes()
    return data[: len(data) // 2]


BROKEN = {
    "empty": (b"", "empty"),
    "text": (b"not a picture", "not a picture"),
    "truncated JPEG": (_jpeg()[:400], "damaged or incomplete"),
    "animated GIF": (_gif(), "3 frames"),
    "truncated 16-bit PNG": (_truncated_png16(), "damaged or incomplete"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_one_clear_line(name: str, tmp_path: Path) -> None:
    data, message = BROKEN[name]
    with pytest.raises(ImageError, match=message) as caught:
        read_picture(stored(tmp_path, data))
    assert "\n" not in str(caught.value)


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(scene(40, 40)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ImageError, match="bomb"):
        read_picture(path)


@pytest.mark.parametrize(
    ("kind", "picture"),
    [
        ("JPEG", Picture(scene(4, 4), np.full((4, 4), 9, np.uint8), "PNG")),
        ("JPEG", Picture(np.zeros((4, 4, 3), np.uint16), None, "PNG")),
    ],
)
def test_what_a_format_cannot_hold_is_said(kind: str, picture: Picture) -> None:
    with pytest.raises(ImageError, match="cannot hold"):
        encode_picture(picture, kind)


def test_icc_and_exif_come_along(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "maker"
    path = tmp_path / "tagged.jpg"
    Image.fromarray(scene(16, 16)).save(path, icc_profile=profile, exif=exif)
    again = stored(tmp_path, encode_picture(read_picture(path), "JPEG"), "again.jpg")
    with Image.open(again) as image:
        assert image.info["icc_profile"] == profile
        assert image.getexif()[0x010F] == "maker"


def test_files_are_replaced_only_when_asked_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "file.bin"
    write_atomically(path, b"first", overwrite=False)
    with pytest.raises(ImageError, match="--overwrite"):
        write_atomically(path, b"second", overwrite=False)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImageError, match="No space left"):
        write_atomically(path, b"third", overwrite=True)
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_pictures_are_found_by_name_below_a_folder(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.JPG", "a/notes.txt", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(tmp_path)] == ["c.JPG", "b.png"]
