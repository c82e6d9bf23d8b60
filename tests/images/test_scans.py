"""What the parts of a JPEG tell of damage: zeros inside its pixels, scans that are missing, and more than encoders write."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    buffer, mode = io.BytesIO(), str(options.pop("mode", "RGB"))
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def grainy() -> np.ndarray:
    return (scene(200, 300) + np.random.default_rng(0).normal(0, 9, (200, 300, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("options", [{}, {"quality": 95}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"mode": "L"}])
@pytest.mark.parametrize("length", [20, 64, 512])
def test_zeros_inside_a_jpeg_are_its_own_failure(options: dict, length: int) -> None:
    whole, draw = jpeg(grainy(), **options), random.Random(0)
    for _ in range(20):
        start = draw.randrange(whole.rindex(b"\xff\xda") + 20, len(whole) - length - 2)
        with pytest.raises(ImageError, match=r"^a\.jpg: damaged or incomplete"):
            decode_picture(whole[:start] + bytes(length) + whole[start + length :], "a.jpg")


FLAT = {
    "white": np.full((200, 300, 3), 255, np.uint8),
    "black": np.zeros((200, 300, 3), np.uint8),
    "halves": np.repeat(np.array([[[0, 90, 255]], [[255, 255, 0]]], np.uint8), 100, 0).repeat(300, 1),
    "a slope": np.linspace(0, 255, 300).astype(np.uint8)[None, :, None].repeat(200, 0).repeat(3, 2),
    "stripes": (np.indices((200, 300)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2),
    "grain": grainy(),
}


@pytest.mark.parametrize("flat", FLAT)
@pytest.mark.parametrize("quality", [5, 75, 100])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"subsampling": 0}, {"mode": "L"}])
def test_flat_pictures_are_whole(flat: str, quality: int, options: dict) -> None:
    assert decode_picture(jpeg(FLAT[flat], quality=quality, **options), "a.jpg").notes == ()


def places_of(data: bytes, mark: int) -> list[int]:
    return [place for place in range(len(data)) if data[place : place + 2] == bytes([0xFF, mark])]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_progressive_jpeg_that_ends_between_two_scans_is_incomplete(mode: str) -> None:
    whole = jpeg(grainy(), progressive=True, mode=mode)
    decode_picture(whole, "a.jpg")
    scans = places_of(whole, 0xDA)
    assert len(scans) > 4
    for place in scans[1:]:
        with pytest.raises(
            ImageError, match=r"^a\.jpg: damaged or incomplete \((its last scans are|one of its channels is) missing"
        ):
            decode_picture(whole[:place] + b"\xff\xd9", "a.jpg")


def test_a_jpeg_without_one_of_its_channels_is_incomplete() -> None:
    whole = jpeg(grainy(), progressive=True)
    scans = places_of(whole, 0xDA)
    luma = whole[: scans[0]] + b"\xff\xda\0\x08\x01\x01\0\0\0\x01" + whole[scans[0] + 14 :]  # its means, of one channel
    with pytest.raises(ImageError, match="one of its channels is missing"):
        decode_picture(luma[: scans[1] - 4] + b"\xff\xd9", "a.jpg")


def inks(*, ycck: bool = False, **options: object) -> bytes:
    """Return a JPEG of four inks, as such or as YCCK, of which the Adobe marker tells."""
    data = jpeg(grainy(), mode="CMYK", **options)
    told = data.index(b"Adobe") + 11
    return data[:told] + bytes([2 if ycck else 0]) + data[told + 1 :]


@pytest.mark.parametrize(
    "options", [{}, {"quality": 95}, {"optimize": True}, {"progressive": True}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("ycck", [False, True])
def test_a_whole_jpeg_of_inks_gives_no_alarm(ycck: bool, options: dict) -> None:
    for data in (inks(ycck=ycck, **options), inks(ycck=ycck, **options) + b"what a camera adds" * 9):
        assert decode_picture(data, "a.jpg").notes == ("CMYK without a usable profile was converted to RGB by rule of thumb",)


def test_a_jpeg_of_one_pixel_of_inks_is_in_colour() -> None:
    assert decode_picture(jpeg(grainy()[:1, :1], mode="CMYK"), "a.jpg").pixels.shape == (1, 1, 3)


HARMS = {
    "cut off, with an end": lambda data, place: data[:place] + b"\xff\xd9",
    "an end in the middle": lambda data, place: data[:place] + b"\xff\xd9" + data[place + 2 :],
    "bytes missing": lambda data, place: data[:place] + data[place + 1600 :],
    "a run of one byte": lambda data, place: data[:place] + b"\xaa" * 400 + data[place + 400 :],
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("form", ["RGB", "L", "CMYK", "YCCK"])
def test_damage_is_found_in_colour_in_grey_and_in_inks(form: str, harm: str) -> None:
    whole = inks(ycck=form == "YCCK") if form in ("CMYK", "YCCK") else jpeg(grainy(), mode=form)
    start = places_of(whole, 0xDA)[0]
    for part in (0.3, 0.5, 0.7):
        with pytest.raises(ImageError, match=r"^a\.jpg: damaged or incomplete"):
            decode_picture(HARMS[harm](whole, start + int(part * (len(whole) - start))), "a.jpg")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_without_its_end_is_incomplete(options: dict) -> None:
    whole = jpeg(grainy(), **options)
    for end in (1, 2, 3, 40):
        for instead in (b"", bytes(end), bytes(900), b"what a camera adds" * 90):
            with pytest.raises(ImageError, match="damaged or incomplete"):
                decode_picture(whole[:-end] + instead, "a.jpg")
    assert decode_picture(whole + b"what a camera adds" * 9, "a.jpg").notes == ()


@pytest.mark.parametrize("options", [{}, {"quality": 95}, {"subsampling": 0, "quality": 95}, {"optimize": True}, {"mode": "L"}])
def test_zeros_in_the_place_of_the_last_pixels_are_damage_and_after_them_none(options: dict) -> None:
    whole = jpeg(grainy(), **options)
    for count in (1, 20, 4000):
        assert decode_picture(whole[:-2] + bytes(count) + whole[-2:], "a.jpg").pixels.shape[:2] == (200, 300)
    for part in (0.3, 0.6, 0.9):
        cut = int(len(whole) * part)
        for length in (len(whole) - 2 - cut, 3 * len(whole)):
            with pytest.raises(ImageError, match="damaged or incomplete"):
                decode_picture(whole[:cut] + bytes(length) + whole[-2:], "a.jpg")


@pytest.mark.parametrize("change", ["swapped", "left out", "twice", "without its mark"])
def test_restarts_out_of_order_are_damage(change: str) -> None:
    whole = jpeg(grainy(), restart_marker_rows=1)
    first, second, third = (places_of(whole, mark)[0] for mark in (0xD1, 0xD2, 0xD3))
    inner = {
        "swapped": whole[second:third] + whole[first:second] + whole[third:],
        "left out": whole[second:],
        "twice": whole[first:second] + whole[first:],
        "without its mark": whole[first + 2 :],
    }[change]
    with pytest.raises(ImageError, match=r"^a\.jpg: damaged or incomplete \(Corrupt JPEG data"):
        decode_picture(whole[:first] + inner, "a.jpg")


def test_a_jpeg_of_more_parts_than_encoders_write_is_not_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = jpeg(grainy(), progressive=True)
    last, tables = places_of(whole, 0xDA)[-1], places_of(whole, 0xC4)
    scan = whole[max(place for place in tables if place < last) : -2]
    with pytest.raises(ImageError, match="Inconsistent progression"):  # as its reader says, which was asked
        decode_picture(whole[:-2] + scan * 10 + b"\xff\xd9", "a.jpg")
    monkeypatch.setattr(Image, "open", lambda *given, **options: pytest.fail("opened"))
    for many in (
        whole[:-2] + scan * 200 + b"\xff\xd9",
        whole[:2] + bytes(2**17) + whole[2:],
        whole[:2] + b"\xff" * 2**17 + whole[2:],
    ):
        data = many if many[2:3] == b"\xff" else many[:2] + b"\xff\xe0\0\x02" + many[2:]  # what follows the beginning is a mark
        with pytest.raises(ImageError, match="damaged or incomplete"):
            decode_picture(data, "a.jpg")


@pytest.mark.parametrize("mark", [0xFE, 0xEB])
def test_a_jpeg_of_endless_parts_is_refused_before_it_is_read(mark: int) -> None:
    whole = jpeg(grainy())
    few, many = (whole[:2] + bytes([0xFF, mark, 0, 3, 65]) * count + whole[2:] for count in (300, 20_000))
    assert decode_picture(few, "a.jpg").pixels.shape == (200, 300, 3)
    with pytest.raises(ImageError, match="more than 10000 parts"):
        decode_picture(many, "a.jpg")
