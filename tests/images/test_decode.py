"""Files into pictures: upright pixels, strict decoding."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import scene
from encoded import chunks_of, packed_bits, png_of, stored
from PIL import Image, ImageOps

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture


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
    again = read_picture(stored(tmp_path, encode_picture(picture, "PNG")[0], "again.png"))
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
    with pytest.raises(ImageError, match="`max_pixels`"):
        read_picture(path, max_pixels=1599)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow's own limit does not stop what ours allows
    assert read_picture(path, max_pixels=1600).pixels.shape == (40, 40, 3)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_holds_what_pillow_reads_in_it(mode: str, sampling: int, progressive: bool, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    path = tmp_path / "in.jpg"
    picture = Image.fromarray(scene(45, 51)).convert(mode)
    picture.save(path, quality=71, subsampling=sampling, progressive=progressive, exif=exif)
    with Image.open(path) as image:
        assert np.array_equal(read_picture(path).pixels, np.asarray(ImageOps.exif_transpose(image)))
    whole = path.read_bytes()
    for length in range(len(whole) // 2, len(whole) - 2, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ImageError, match="damaged or incomplete"):
            read_picture(path)


def test_cmyk_goes_through_its_profile(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(scene(16, 16)).convert("CMYK").save(path)
    picture = read_picture(path)
    assert picture.pixels.shape == (16, 16, 3)
    assert "rule of thumb" in picture.notes[0]


def cmyk_profile() -> bytes:
    """Return a profile by which every mixture of inks is a grey, darker the more there are (ICC.1, lut8Type)."""
    corners = np.indices((2, 2, 2, 2)).reshape(4, 16).sum(0)  # how many inks each corner of the table has
    table = np.stack([255 - 60 * corners, np.full(16, 128), np.full(16, 128)], 1).astype(np.uint8)  # L, a, b
    straight = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (index % 4 == 0) for index in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + 4 * straight + table.tobytes() + 3 * straight
    lut += bytes(-len(lut) % 4)
    head = b"lcms" + struct.pack(">I", 0x02400000) + b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D) + bytes(48)
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(lut))
    return struct.pack(">I", 4 + len(head) + len(tags) + len(lut)) + head + tags + lut


def test_cmyk_with_a_profile_is_what_the_profile_says(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(scene(16, 16)).convert("CMYK").save(path, icc_profile=cmyk_profile(), quality=55)
    picture = read_picture(path)
    assert picture.notes == ("CMYK was converted to sRGB through its profile",)
    assert np.ptp(picture.pixels.astype(int), axis=2).max() <= 2
    assert picture.pixels.std() > 5
    assert picture.tags.icc is None  # which was that of the inks
    with Image.open(path) as before, Image.open(io.BytesIO(encode_picture(picture, "JPEG")[0])) as after:
        assert after.quantization[0] == before.quantization[0]


def test_the_pictures_inside_a_phones_jpeg_do_not_count_as_frames(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    Image.fromarray(scene(16, 16)).save(path, "MPO", save_all=True, append_images=[Image.fromarray(scene(8, 8))])
    picture = read_picture(path)
    assert (picture.format, picture.pixels.shape) == ("JPEG", (16, 16, 3))
    assert "main one" in picture.notes[0]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_grey_that_stands_for_nothing_is_found_at_every_depth(bits: int, tmp_path: Path) -> None:
    values = np.arange(64, dtype=np.uint8).reshape(8, 8) % 2**bits
    data = png_of(8, 8, bits, packed_bits(values, bits), (b"tRNS", b"\0\1"))
    picture = read_picture(stored(tmp_path, data))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, values == 1)


def test_whatever_a_decoder_raises_is_one_picture_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Missing or empty image item")

    monkeypatch.setattr(Image, "open", broken)
    with pytest.raises(ImageError, match="damaged or incomplete"):
        read_picture(stored(tmp_path, b"something"))


def test_a_grey_that_stands_for_nothing_is_transparent_at_16_bits_too(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
    data = encode_picture(Picture(pixels, None, "PNG"), "PNG")[0]
    place = data.index(b"IDAT") - 4
    chunk = chunks_of((b"tRNS", struct.pack(">H", 5000)))
    picture = read_picture(stored(tmp_path, data[:place] + chunk + data[place:]))
    assert np.array_equal(picture.pixels, pixels)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, pixels == 5000)
    assert set(np.unique(picture.alpha)) == {0, 65535}


def test_ten_bits_of_an_avif_are_cut_and_that_is_told(tmp_path: Path) -> None:
    done, data = cv2.imencode(".avif", scene(32, 32).astype(np.uint16) * 4, [cv2.IMWRITE_AVIF_DEPTH, 10])
    if not done:
        pytest.skip("this OpenCV writes no AVIF")
    assert "more than 8 bits" in read_picture(stored(tmp_path, data.tobytes())).notes[0]
    eight = read_picture(stored(tmp_path, encode_picture(Picture(scene(32, 32), None, "AVIF"), "AVIF")[0], "eight.avif"))
    assert eight.notes == ()
