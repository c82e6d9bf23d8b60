"""Damage inside a JPEG fails by name; captions, comments, texts and colours are kept, or said."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest
from drawn import scene
from encoded import chunks_of
from PIL import Image, PngImagePlugin

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import Coding
from irflow_cli.images.metadata import Tags
from irflow_cli.images.picture import Picture, as_depth


def jpeg(**options: object) -> bytes:
    noisy = scene(200, 300).astype(int) + np.random.default_rng(0).normal(0, 9, (200, 300, 3)).astype(int)
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"quality": 95}, {"optimize": True}, {"restart_marker_rows": 2}, {"subsampling": 0}])
@pytest.mark.parametrize("damage", [b"\xff\xd9", b"\xff\xd3", bytes(400)], ids=["early end", "restart", "zeros"])
def test_damage_inside_a_jpeg_is_its_own_failure(options: dict, damage: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    whole = jpeg(**options)
    assert decode_picture(whole, "a.jpg").notes == ()
    middle = len(whole) // 2
    broken = whole[:middle] + damage + whole[middle + len(damage) :]
    with pytest.raises(ImageError, match=r"^a\.jpg: damaged or incomplete \((Corrupt JPEG data|a part)"):
        decode_picture(broken, "a.jpg")
    assert capfd.readouterr().err == ""


def test_padding_before_the_end_of_a_jpeg_is_no_damage() -> None:
    whole = jpeg()
    assert decode_picture(whole[:-2] + bytes(3) + whole[-2:], "a.jpg").pixels.shape == (200, 300, 3)


def test_what_python_says_meanwhile_goes_on_its_way(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Image.open

    def talking(*given: object, **options: object) -> Image.Image:
        sys.stderr.write("finishing the picture at hand\n")
        return opened(*given, **options)

    monkeypatch.setattr(Image, "open", talking)
    decode_picture(jpeg(), "a.jpg")
    assert capfd.readouterr().err == "finishing the picture at hand\n"


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(scene(20, 30)).save(buffer, "PNG")
    data = buffer.getvalue()
    return data[:33] + chunks_of(*chunks) + data[33:]


CORNERS = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
COLOURS = {
    "linear": ([(b"gAMA", struct.pack(">I", 100_000))], "gAMA"),
    "wide": ([(b"cHRM", CORNERS)], "cHRM"),
    "P3": ([(b"cICP", bytes([12, 13, 0, 1]))], "cICP"),
    "PQ": ([(b"cICP", bytes([9, 16, 0, 1]))], "cICP"),
    "usual": ([(b"gAMA", struct.pack(">I", 45_455))], None),
    "sRGB": ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))], None),
    "sRGB by numbers": ([(b"cICP", bytes([1, 13, 0, 1]))], None),
}


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_colours_told_outside_of_a_profile_are_kept_or_said(colours: str, depth: type) -> None:
    chunks, how = COLOURS[colours]
    picture = decode_picture(png(*chunks), "a.png")
    picture = picture.with_pixels(as_depth(picture.pixels, np.dtype(depth)))
    data, notes = encode_picture(picture, "PNG", Coding(metadata="strip"))
    assert (picture.notes, notes) == ((), ())
    assert decode_picture(data, "b.png").tags.colours == tuple(chunks)
    told = " ".join(encode_picture(picture, "TIFF")[1])
    assert told == (f"gives its colours by {how}, not by a profile, which TIFF cannot hold; left out" if how else "")


def test_colours_told_by_a_heic_are_said() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    told = {"color_primaries": 12, "transfer_characteristics": 13, "matrix_coefficients": 6, "full_range_flag": 1}
    Image.fromarray(scene(64, 64)).save(buffer, "HEIF", **told)
    assert "by nclx" in decode_picture(buffer.getvalue(), "a.heic").notes[0]


CAPTION = b"\x1c\x02\x78\0\3abc"


def captioned() -> bytes:
    """Return a JPEG with a caption beside other resources of Photoshop's, and two comments, one of no encoding."""
    resources = [(0x040C, b"thumbnail"), (0x0404, CAPTION), (0x0421, b"")]
    segment = b"Photoshop 3.0\0" + b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2) for number, data in resources
    )
    segments = [(0xED, segment), (0xFE, b"by a studio"), (0xFE, b"1999 \xe9\xff")]
    whole = jpeg()
    return whole[:2] + b"".join(struct.pack(">BBH", 255, mark, len(data) + 2) + data for mark, data in segments) + whole[2:]


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


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "AVIF"])
def test_what_a_format_has_no_place_for_is_said_unless_it_was_to_go(kind: str) -> None:
    picture = decode_picture(captioned(), "a.jpg")
    said = " ".join(encode_picture(picture, kind)[1])
    assert f"has a caption (IPTC) that {kind} cannot hold" in said
    assert (f"has texts (Comment) that {kind} cannot hold" in said) == (kind != "PNG")
    assert encode_picture(picture, kind, Coding(metadata="strip"))[1] == ()


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


def test_an_xmp_that_promises_what_is_gone_is_said() -> None:
    promising = jpeg(xmp=b'<x:xmpmeta xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>')
    assert "promises a gain map" in decode_picture(promising, "a.jpg").notes[0]


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


def test_content_credentials_are_said() -> None:
    body = b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa"
    whole = jpeg()
    signed = whole[:2] + b"\xff\xeb" + (len(body) + 2).to_bytes(2, "big") + body + whole[2:]
    assert "C2PA" in " ".join(decode_picture(signed, "a.jpg").notes)
    assert not decode_picture(whole, "a.jpg").notes
