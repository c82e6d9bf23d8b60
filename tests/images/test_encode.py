"""Pictures into the bytes of files: exact where they can be, said where not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import scene
from encoded import stored, tagged
from PIL import Image, JpegImagePlugin

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import FORMATS, Coding
from irflow_cli.images.metadata import Tags
from irflow_cli.images.picture import Picture


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
    back = read_picture(stored(tmp_path, encode_picture(picture, kind)[0]))
    assert np.array_equal(back.pixels, picture.pixels)
    assert back.pixels.dtype == dtype
    assert (back.alpha is None) == (not alpha)
    if picture.alpha is not None and back.alpha is not None:
        assert np.array_equal(back.alpha, picture.alpha)


@pytest.mark.parametrize("kind", FORMATS)
def test_transparency_is_kept_or_refused(kind: str, tmp_path: Path) -> None:
    alpha = np.full((24, 24), 9, np.uint8)
    picture = Picture(scene(24, 24), alpha, "PNG")
    if FORMATS[kind].alpha:
        back = read_picture(stored(tmp_path, encode_picture(picture, kind)[0]))
        assert back.alpha is not None
        assert np.abs(back.alpha.astype(int) - 9).max() <= (0 if FORMATS[kind].exact != "never" else 3)
    else:
        with pytest.raises(ImageError, match="transparency"):
            encode_picture(picture, kind)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("tagged_", [False, True])
def test_a_png_of_16_bits_is_exact_and_read_by_others(channels: int, tagged_: bool, tmp_path: Path) -> None:
    pixels = np.random.default_rng(channels).integers(0, 65536, (13, 17, channels)).astype(np.uint16)
    colour = pixels[..., 0] if channels < 3 else pixels[..., :3]
    alpha = pixels[..., -1] if channels in (2, 4) else None
    tags = read_picture(tagged(tmp_path)).tags if tagged_ else Tags()
    data, notes = encode_picture(Picture(colour, alpha, "PNG", tags), "PNG")
    assert notes == ()
    back = read_picture(stored(tmp_path, data, "deep.png"))
    assert np.array_equal(back.pixels, colour)
    assert np.array_equal(back.alpha, alpha) if alpha is not None else back.alpha is None
    assert back.tags == tags
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    colours = [2, 1, 0] if channels > 2 else [0] * 3  # in the order in which OpenCV has them
    assert np.array_equal(
        theirs[..., :3] if channels > 1 else theirs, np.atleast_3d(colour)[..., colours] if channels > 1 else colour
    )


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("grey", [False, True])
def test_exact_formats_are_exact_and_the_others_are_close(kind: str, grey: bool, tmp_path: Path) -> None:
    pixels = scene(32, 32)[..., 0] if grey else scene(32, 32)
    exact = FORMATS[kind].exact
    coding = Coding(lossless=exact == "on demand") if exact != "never" else Coding(quality=100)
    back = read_picture(stored(tmp_path, encode_picture(Picture(pixels, None, "PNG"), kind, coding)[0]))
    colour = np.repeat(pixels[..., None], 3, 2) if back.pixels.ndim > pixels.ndim else pixels  # WebP and AVIF know no grey
    difference = np.abs(back.pixels.astype(int) - colour)
    assert difference.max() == 0 if exact != "never" else difference.mean() < 2
    if exact == "never":
        with pytest.raises(ImageError, match="without loss"):
            encode_picture(Picture(pixels, None, "PNG"), kind, Coding(lossless=True))


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [60, 93])
def test_the_coding_of_a_jpeg_is_kept(sampling: str, quality: int, tmp_path: Path) -> None:
    path = tmp_path / "in.jpg"
    Image.fromarray(scene(48, 48)).save(path, quality=quality, subsampling=sampling, progressive=True)
    kept = stored(tmp_path, encode_picture(read_picture(path), "JPEG")[0], "kept.jpg")
    told = stored(tmp_path, encode_picture(read_picture(path), "JPEG", Coding(quality=10))[0], "told.jpg")
    with Image.open(path) as one, Image.open(kept) as two, Image.open(told) as three:
        assert one.quantization == two.quantization != three.quantization
        assert JpegImagePlugin.get_sampling(one) == JpegImagePlugin.get_sampling(two) == JpegImagePlugin.get_sampling(three)
        assert two.info.get("progressive")


@pytest.mark.parametrize("shape", [(600, 7), (600, 7, 3), (1, 1, 3)])
def test_spent_pixels_become_the_same_bytes_and_their_memory_is_given_back(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for kind in ("PNG", "JPEG"):
        spent = pixels.copy()
        assert (
            encode_picture(Picture(spent, None, kind), kind, spend=True)[0]
            == encode_picture(Picture(pixels, None, kind), kind)[0]
        )
        assert spent.size == 0
    view = pixels[1:] if len(pixels) > 1 else pixels[:]
    encode_picture(Picture(view, None, "PNG"), "PNG", spend=True)
    assert pixels.size


@pytest.mark.parametrize(("factors", "told"), [(0x411111, True), (0x221111, False), (0x121111, True), (0x111111, False)])
def test_a_subsampling_that_cannot_be_kept_is_told(factors: int, told: bool, tmp_path: Path) -> None:
    _, data = cv2.imencode(".jpg", scene(32, 48), [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factors])
    notes = read_picture(stored(tmp_path, data.tobytes())).notes
    assert ("subsampling" in " ".join(notes)) == told


def test_a_lossless_webp_stays_one_whatever_stands_before_its_pixels(tmp_path: Path) -> None:
    picture = read_picture(tagged(tmp_path, "PNG"))
    data, _ = encode_picture(picture, "WEBP", Coding(lossless=True))
    back = read_picture(stored(tmp_path, data, "a.webp"))
    assert np.array_equal(read_picture(stored(tmp_path, encode_picture(back, "WEBP")[0], "b.webp")).pixels, picture.pixels)
    lossy = read_picture(stored(tmp_path, encode_picture(picture, "WEBP", Coding(quality=80))[0], "c.webp"))
    assert lossy.coding == {"lossless": False}
