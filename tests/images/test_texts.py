"""Captions, comments and other texts stay with their picture."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from drawn import scene
from encoded import CAPTION, captioned
from PIL import Image, PngImagePlugin

from irflow_cli.images.decode import decode_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import Coding
from irflow_cli.images.metadata import Tags
from irflow_cli.images.picture import Picture, as_depth


def test_a_caption_and_comments_of_a_jpeg_stay_in_it() -> None:
    picture = decode_picture(captioned(), "a.jpg")
    data, notes = encode_picture(picture, "JPEG")
    assert (picture.notes, notes) == ((), ())
    assert b"thumbnail" not in data
    again = decode_picture(data, "b.jpg")
    assert (again.tags.caption, again.tags.texts) == (CAPTION, picture.tags.texts)
    assert b"1999 \xe9\xff" in data
    texts = decode_picture(encode_picture(picture, "PNG")[0], "a.png").tags.texts
    assert dict(texts)["Comment"].startswith("1999")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.float32])
def test_a_caption_stays_in_a_tiff(compression: str, depth: type) -> None:
    picture = Picture(
        as_depth(scene(20, 30), np.dtype(depth)), None, "TIFF", Tags(caption=CAPTION), {"compression": compression}
    )
    data, notes = encode_picture(picture, "TIFF")
    again = decode_picture(data, "a.tif")
    assert notes == ()
    assert again.tags.caption is not None
    assert again.tags.caption.rstrip(b"\0") == CAPTION
    assert np.array_equal(again.pixels, picture.pixels)


WINDOWS = "a word".encode("utf-16-le") + bytes(2)
ENTRIES = {269: "a roll", 285: "a frame", 316: "a computer", 18246: 3, 18249: 60, **dict.fromkeys(range(40091, 40096), WINDOWS)}


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.float32])
def test_texts_and_ratings_of_a_tiff_are_kept(compression: str, kind: str, depth: type) -> None:
    entries, buffer = Image.Exif(), io.BytesIO()
    entries.update(ENTRIES)
    Image.fromarray(scene(20, 30)).save(buffer, "TIFF", exif=entries)
    picture = replace(decode_picture(buffer.getvalue(), "a.tif"), coding={"compression": compression})
    data, _ = encode_picture(picture.with_pixels(as_depth(picture.pixels, np.dtype(depth))), kind)
    again, left = decode_picture(data, "a"), Image.Exif()
    left.load(again.tags.exif)
    assert dict(left) == ENTRIES
    assert (picture.notes, again.notes) == ((), ())


@pytest.mark.parametrize("depth", [np.uint8, np.float32])
@pytest.mark.parametrize("how", [{}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}])
def test_other_texts_of_a_tiff_are_said(depth: type, how: dict[str, object]) -> None:
    tifffile, buffer = pytest.importorskip("tifffile"), io.BytesIO()
    extra = [(337, 2, 0, "a printer", True), (65001, 2, 0, "a secret", True)]
    tifffile.imwrite(buffer, as_depth(scene(20, 30), np.dtype(depth)), photometric="rgb", extratags=extra, **how)
    told = decode_picture(buffer.getvalue(), "a.tif").notes
    assert told == ("has texts (TargetPrinter, tag 65001), which no result has",)


@pytest.mark.parametrize("tag", ["words", "resources"])
def test_a_caption_is_found_wherever_a_tiff_has_it(tag: str) -> None:
    tifffile, buffer = pytest.importorskip("tifffile"), io.BytesIO()
    resources = b"8BIM\x04\x0c\0\0\0\0\0\4abcd" + b"8BIM\x04\x04\3abc\0\0\0" + bytes([len(CAPTION)]) + CAPTION + b"\0"
    words = struct.unpack("<2I", CAPTION.ljust(8, b"\0"))
    extra = (33723, 4, 2, words, True) if tag == "words" else (34377, 1, len(resources), resources, True)
    tifffile.imwrite(buffer, scene(20, 30), photometric="rgb", extratags=[extra])
    found = decode_picture(buffer.getvalue(), "a.tif").tags.caption
    assert found is not None
    assert found.rstrip(b"\0") == CAPTION


TEXTS = (("Copyright", "an archive"), ("Title", "Straße \u2192 \u65e5"), ("Raw profile type iptc", "\niptc\n 4\n1c0278\n"))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_texts_of_a_png_stay_in_it(depth: type) -> None:
    texts, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, text in TEXTS:
        texts.add_text(key, text)
    Image.fromarray(scene(20, 30)).save(buffer, "PNG", pnginfo=texts)
    picture = decode_picture(buffer.getvalue(), "a.png")
    picture = picture.with_pixels(as_depth(picture.pixels, np.dtype(depth)))
    data, notes = encode_picture(picture, "PNG")
    assert (picture.notes, notes) == ((), ())
    assert sorted(decode_picture(data, "b.png").tags.texts) == sorted(TEXTS)
    assert "texts (Copyright, Title, Raw profile type iptc) that JPEG cannot hold" in " ".join(
        encode_picture(picture, "JPEG")[1]
    )


def test_without_its_place_a_picture_has_no_caption_and_no_text_that_may_name_one() -> None:
    tags = Tags(caption=CAPTION, texts=(("exif:GPSLatitude", "1"), ("Title", "a pond"), TEXTS[2]))
    data, notes = encode_picture(Picture(scene(20, 30), None, "PNG", tags), "PNG", Coding(metadata="no-gps"))
    assert decode_picture(data, "a.png").tags.texts == (("Title", "a pond"),)
    assert [note.split(" and ")[0] for note in notes] == [
        "its caption (IPTC) may name a place",
        "one of its texts names a place",
    ]


@pytest.mark.parametrize(
    "xmp",
    [
        b'<a photoshop:City="Here"/>',
        b"<Iptc4xmpCore:Location>Here</Iptc4xmpCore:Location>",
        b"<geo:lat>1.5</geo:lat>",
        b'<a exif:&#71;PSLatitude="1"/>',
        '<a exif:GPSLatitude="1"/>'.encode("utf-16"),
    ],
)
def test_an_xmp_that_names_a_place_goes_with_it(xmp: bytes) -> None:
    plain = b'<a photoshop:Credit="somebody"/>'
    for given, kept in ((xmp, None), (plain, plain)):
        picture = Picture(scene(20, 30), None, "PNG", Tags(xmp=given))
        data, notes = encode_picture(picture, "PNG", Coding(metadata="no-gps"))
        assert decode_picture(data, "a.png").tags.xmp == kept
        assert bool(notes) == (kept is None)


@pytest.mark.parametrize("text", [("Location", "x"), ("a", "geo:lat 1"), ("raw profile type exif", "00")])
def test_a_text_that_names_a_place_goes_with_it(text: tuple[str, str]) -> None:
    picture = Picture(scene(20, 30), None, "PNG", Tags(texts=(text, ("Title", "a pond"))))
    data, notes = encode_picture(picture, "PNG", Coding(metadata="no-gps"))
    assert decode_picture(data, "a.png").tags.texts == (("Title", "a pond"),)
    assert notes


@pytest.mark.parametrize("name", ["Raw profile type APP1", "Raw profile type 8bim", "Raw profile type xmp"])
def test_profiles_in_texts_that_are_not_read_are_said(name: str) -> None:
    texts, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    texts.add_text(name, "\nexif\n 4\n00000000")
    Image.fromarray(scene(20, 30)).save(buffer, "PNG", pnginfo=texts)
    assert name in " ".join(decode_picture(buffer.getvalue(), "a.png").notes)
