"""What comes along beside the pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from encoded import XMP, stored, tagged
from PIL import Image, TiffImagePlugin

from irflow_cli.images.decode import decode_picture, read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import FORMATS, Coding
from irflow_cli.images.metadata import EXIF_IFD, GPS_IFD, Tags, dpi_in
from irflow_cli.images.picture import Picture, as_depth


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "BMP"])
@pytest.mark.parametrize("deep", [False, True])
def test_profile_exif_and_xmp_come_along(kind: str, deep: bool, tmp_path: Path) -> None:
    picture = read_picture(tagged(tmp_path, kind))
    if deep and "uint16" not in FORMATS[kind].dtypes:
        pytest.skip("holds 8 bits only")
    if deep:
        picture = picture.with_pixels(as_depth(picture.pixels, np.dtype(np.uint16)))
    data, notes = encode_picture(picture, kind)
    back = read_picture(stored(tmp_path, data, "again")).tags
    assert back.icc == picture.tags.icc is not None
    assert back.xmp == XMP
    assert notes == ()
    exif = Image.Exif()
    exif.load(back.exif)
    assert exif[0x010F] == "maker"
    assert exif.get_ifd(EXIF_IFD)[36867] == "2020:01:02 03:04:05"
    assert dict(exif.get_ifd(GPS_IFD)) == {1: "N", 2: (1.0, 2.0, 3.0)}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("dtype", FORMATS["TIFF"].dtypes)
@pytest.mark.parametrize("grey", [False, True])
def test_the_size_in_print_comes_along(kind: str, dtype: str, grey: bool, tmp_path: Path) -> None:
    if dtype not in FORMATS[kind].dtypes:
        pytest.skip("holds no such pixels")
    path = tmp_path / "in.png"
    Image.fromarray(scene(16, 24)).convert("L" if grey else "RGB").save(path, dpi=(300, 150))
    picture = read_picture(path)
    picture = picture.with_pixels(as_depth(picture.pixels, np.dtype(dtype)))
    back = read_picture(stored(tmp_path, encode_picture(picture, kind, Coding(metadata="strip"))[0], "out")).tags
    assert back.dpi == pytest.approx((300, 150), rel=0.01)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("told", [{}, {0x010F: "maker", 282: 72.0, 283: 72.0, 296: 2}])
def test_the_size_in_print_stands_in_the_exif_where_a_format_has_no_other_place(kind: str, told: dict[int, object]) -> None:
    exif = Image.Exif()
    exif.update(told)
    tags = Tags(exif=exif.tobytes() if told else None, dpi=(300.0, 150.0))
    back = decode_picture(encode_picture(Picture(scene(16, 24), None, "JPEG", tags), kind)[0], "a").tags
    left = Image.Exif()
    left.load(back.exif)
    assert back.dpi == (300, 150)
    assert dict(left) == {**told, 282: 300, 283: 150, 296: 2}


@pytest.mark.parametrize(
    ("told", "dpi"),
    [
        ({282: 100.0, 283: 50.0, 296: 3}, (254, 127)),
        ({282: 100.0, 283: 50.0}, (100, 50)),
        ({282: 100.0, 283: 50.0, 296: 1}, None),
        ({282: 0.0, 283: 50.0}, None),
    ],
)
def test_the_size_in_print_is_read_from_an_exif(told: dict[int, object], dpi: tuple[float, float] | None) -> None:
    exif = Image.Exif()
    exif.update(told)
    assert dpi_in(exif.tobytes()) == dpi


def test_long_texts_are_no_damage(tmp_path: Path) -> None:
    xmp = b"<x:xmpmeta>" + b"edit " * 500_000 + b"</x:xmpmeta>"
    data, _ = encode_picture(Picture(scene(8, 8), None, "PNG", Tags(xmp=xmp)), "PNG")
    assert read_picture(stored(tmp_path, data)).tags.xmp == xmp


@pytest.mark.parametrize("policy", ["strip", "no-gps"])
def test_metadata_can_be_left_out_but_not_the_profile(policy: str, tmp_path: Path) -> None:
    data, notes = encode_picture(read_picture(tagged(tmp_path)), "JPEG", Coding(metadata=policy))
    back = read_picture(stored(tmp_path, data, "again")).tags
    assert back.icc is not None
    assert back.xmp is None
    assert b"GPS" not in data
    if policy == "strip":
        assert (back.exif, notes) == (None, ())
    else:
        exif = Image.Exif()
        exif.load(back.exif)
        assert exif[0x010F] == "maker"
        assert not exif.get_ifd(GPS_IFD)
        assert "XMP" in notes[0]


def test_the_turn_that_xmp_tells_is_undone_with_the_pixels(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"><tiff:Orientation>8</tiff:Orientation></d></x:xmpmeta>'
    Image.fromarray(scene(10, 12)).save(tmp_path / "a.jpg", xmp=xmp)
    kept = read_picture(tmp_path / "a.jpg").tags.xmp
    assert kept is not None
    assert kept.count(b"1") == 2
    assert b"6" not in kept
    assert b"8" not in kept


def test_exif_too_long_for_a_jpeg_is_left_out_and_values_beyond_white_are_said() -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    assert "its EXIF is too long" in encode_picture(Picture(scene(8, 8), None, "PNG", Tags(exif=exif.tobytes())), "JPEG")[1][0]
    bright = Picture(scene(8, 8).astype(np.float32) / 100, None, "TIFF")
    assert "values beyond 0 to 1 were clipped" in encode_picture(bright, "PNG")[1]


@pytest.mark.parametrize("directory", [EXIF_IFD, GPS_IFD])
@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_lzw", "packbits", "raw"])
def test_a_packed_tiff_keeps_its_exif_and_place(directory: int, compression: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    inner: dict[int, str] = {36867: "2020:01:02 03:04:05"} if directory == EXIF_IFD else {1: "N"}
    exif[directory] = inner
    picture = Picture(scene(16, 16), None, "TIFF", Tags(exif=exif.tobytes()), {"compression": compression})
    back = read_picture(stored(tmp_path, encode_picture(picture, "TIFF")[0], "a.tif"))
    assert np.array_equal(back.pixels, picture.pixels)
    again = Image.Exif()
    again.load(back.tags.exif)
    assert dict(again.get_ifd(directory)) == inner


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_the_size_that_exif_tells_is_the_results_own(kind: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[EXIF_IFD] = {0xA002: 8, 0xA003: 6}
    data, _ = encode_picture(Picture(scene(24, 32), None, "PNG", Tags(exif=exif.tobytes())), kind)
    again = Image.Exif()
    again.load(read_picture(stored(tmp_path, data, "a")).tags.exif)
    assert (again.get_ifd(EXIF_IFD)[0xA002], again.get_ifd(EXIF_IFD)[0xA003]) == (32, 24)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("policy", ["keep", "no-gps"])
def test_comments_and_notes_of_makers_are_undefined_bytes(kind: str, depth: type, policy: str) -> None:
    if np.dtype(depth).name not in FORMATS[kind].dtypes:
        pytest.skip("holds 8 bits only")
    exif = Image.Exif()
    inner = {0x927C: b"maker's", 0x9286: b"ASCII\0\0\0a comment", 0x9101: b"\1\2\3\0", 0xA300: b"\3", 0x9000: b"0232"}
    exif[EXIF_IFD] = inner
    exif[GPS_IFD] = {0: b"\2\3\0\0", 1: "N"}
    picture = Picture(as_depth(scene(16, 24), np.dtype(depth)), None, "PNG", Tags(exif=exif.tobytes()))
    data = encode_picture(picture, kind, Coding(metadata=policy))[0]
    block = data if kind == "TIFF" else decode_picture(data, "a").tags.exif
    assert block is not None
    directory = TiffImagePlugin.ImageFileDirectory_v2(block[6:14] if kind != "TIFF" else block[:8])
    file = io.BytesIO(block if kind == "TIFF" else block[6:])
    for place in (directory.next, None):
        file.seek(directory[EXIF_IFD] if place is None else place)
        directory.load(file)
    if policy == "no-gps":
        assert inner.pop(0x927C) == b"maker's"  # which may name a place
    assert {tag: directory.tagtype[tag] for tag in inner} == dict.fromkeys(inner, 7)
    assert {tag: directory[tag] for tag in inner} == inner


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_texts_of_an_exif_that_name_a_place_go_with_it(kind: str) -> None:
    exif, place = Image.Exif(), "Latitude 48.85"
    exif[0x010E], exif[0x013B], exif[0x9C9C] = place, "somebody", place.encode("utf-16-le")
    exif[EXIF_IFD] = {0x9286: b"UNICODE\0" + place.encode("utf-16-be"), 0x927C: b"\1\2", 0xA434: "a lens"}
    picture = Picture(scene(16, 24), None, "PNG", Tags(exif=exif.tobytes()))
    data, notes = encode_picture(picture, kind, Coding(metadata="no-gps"))
    left = Image.Exif()
    left.load(decode_picture(data, "a").tags.exif)
    assert ({tag: left[tag] for tag in left if tag != EXIF_IFD}, dict(left.get_ifd(EXIF_IFD))) == (
        {0x013B: "somebody"},
        {0xA434: "a lens"},
    )
    assert b"Latitude" not in data.replace(b"\0", b"")
    assert notes == (
        "its EXIF names a place in ImageDescription, UserComment, XPComment; left out",
        "its maker's note (EXIF) may name a place and was left out",
    )


@pytest.mark.parametrize("exif", [{0x010E: "Location: here"}, {GPS_IFD: {1: "N"}}])
def test_an_exif_of_nothing_but_a_place_goes(exif: dict[int, object]) -> None:
    block = Image.Exif()
    block.update(exif)
    data, _ = encode_picture(Picture(scene(8, 8), None, "PNG", Tags(exif=block.tobytes())), "PNG", Coding(metadata="no-gps"))
    assert decode_picture(data, "a").tags.exif is None


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[EXIF_IFD] = "maker", {36867: "2020:01:02 03:04:05"}
    return exif.tobytes()


HEAD = b"Exif\0\0"
BROKEN = {
    "text": HEAD + b"not a directory",
    "too short": HEAD + b"II*\0",
    "a directory far away": HEAD + b"II*\0\xff\xff\xff\x7f",
    "cut off": _exif()[:20],
    "zeros": HEAD + bytes(50),
    "another version": HEAD + b"II\x2b\0" + _exif()[10:],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_exif_is_left_out_and_said_in_every_format(kind: str, broken: str) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    buffer, exif = io.BytesIO(), BROKEN[broken]
    whole = _exif()
    Image.fromarray(scene(16, 24)).save(buffer, kind, exif=whole if kind == "AVIF" else exif)
    data = buffer.getvalue()
    if kind == "AVIF":  # Pillow writes none that is broken
        inner, block = whole.removeprefix(HEAD), exif.removeprefix(HEAD)
        assert inner in data
        data = data.replace(inner, block[: len(inner)].ljust(len(inner), b"\0"))
    picture = decode_picture(data, "a")
    assert picture.pixels.shape == (16, 24, 3)
    assert picture.tags.exif is None
    assert "its EXIF is damaged; it is left out" in picture.notes


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_whole_of_an_exif_is_kept(kind: str) -> None:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x010F], exif[0x0131] = "maker of it", "a program"
    block = bytearray(exif.tobytes())
    place = block.index(b"\x31\x01" if block[6:8] == b"II" else b"\x01\x31") + 8
    block[place : place + 4] = b"\x7f" * 4  # where its text would lie
    Image.fromarray(scene(16, 24)).save(buffer, kind, exif=bytes(block))
    picture = decode_picture(buffer.getvalue(), "a")
    assert picture.tags.exif is not None
    assert b"maker of it" in picture.tags.exif
    assert "parts of its EXIF are damaged; they are left out" in picture.notes
