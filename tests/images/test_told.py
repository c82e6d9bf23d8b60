"""Damage inside a JPEG fails by name; what a result does not keep is said."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from drawn import scene
from PIL import Image, PngImagePlugin

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture


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
    with pytest.raises(ImageError, match=r"^a\.jpg: damaged or incomplete \(Corrupt JPEG data"):
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
    framed = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return data[:33] + framed + data[33:]


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
def test_colours_told_outside_of_a_profile_are_said(colours: str) -> None:
    chunks, how = COLOURS[colours]
    notes = decode_picture(png(*chunks), "a.png").notes
    assert len(notes) == (how is not None)
    assert how is None or f"by {how}, not by a profile" in notes[0]


def test_captions_comments_and_texts_are_said() -> None:
    caption = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", 8) + b"\x1c\x02\x78\0\3abc"
    whole = jpeg(comment=b"by a studio")
    told = whole[:2] + b"\xff\xed" + struct.pack(">H", len(caption) + 2) + caption + whole[2:]
    assert [note.split(",")[0] for note in decode_picture(told, "a.jpg").notes] == ["has a caption (IPTC)", "has a comment"]
    texts, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    texts.add_text("Copyright", "an archive")
    Image.fromarray(scene(20, 30)).save(buffer, "PNG", pnginfo=texts)
    assert "texts (Copyright)" in decode_picture(buffer.getvalue(), "a.png").notes[0]
    promising = jpeg(xmp=b'<x:xmpmeta xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>')
    assert "promises a gain map" in decode_picture(promising, "a.jpg").notes[0]
