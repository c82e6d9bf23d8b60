"""Colours, captions and comments that a result loses are said."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from drawn import scene
from encoded import captioned, chunks_of, grainy_jpeg
from PIL import Image

from irflow_cli.images.decode import decode_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import Coding
from irflow_cli.images.metadata import Tags
from irflow_cli.images.picture import Picture, as_depth


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


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "AVIF"])
def test_what_a_format_has_no_place_for_is_said_unless_it_was_to_go(kind: str) -> None:
    picture = decode_picture(captioned(), "a.jpg")
    said = " ".join(encode_picture(picture, kind)[1])
    assert f"has a caption (IPTC) that {kind} cannot hold" in said
    assert (f"has texts (Comment) that {kind} cannot hold" in said) == (kind != "PNG")
    assert encode_picture(picture, kind, Coding(metadata="strip"))[1] == ()


def test_an_xmp_that_promises_what_is_gone_is_said() -> None:
    promising = grainy_jpeg(xmp=b'<x:xmpmeta xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>')
    assert "promises a gain map" in decode_picture(promising, "a.jpg").notes[0]


def test_content_credentials_are_said() -> None:
    body = b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa"
    whole = grainy_jpeg()
    signed = whole[:2] + b"\xff\xeb" + (len(body) + 2).to_bytes(2, "big") + body + whole[2:]
    assert "C2PA" in " ".join(decode_picture(signed, "a.jpg").notes)
    assert not decode_picture(whole, "a.jpg").notes


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_a_profile_of_greys_stands_in_grey_files_alone(kind: str) -> None:
    profile = bytes(16) + b"GRAY" + bytes(108)
    data, notes = encode_picture(Picture(scene(20, 30)[..., 0].copy(), None, "PNG", Tags(profile)), kind)
    with Image.open(io.BytesIO(data)) as written:
        assert (written.info.get("icc_profile") == profile) == (written.mode == "L") == (not notes)
