"""Files of millions of small parts are refused before anything goes through them; usual ones are read."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from drawn import scene
from encoded import PNG, chunks_of
from PIL import Image

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture


def saved(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(scene(40, 50)).save(buffer, kind)
    return buffer.getvalue()


def into_png(part: tuple[bytes, bytes], count: int, *, after: bool = False) -> bytes:
    whole = saved("PNG")
    place = len(whole) - 12 if after else len(PNG) + 25
    return whole[:place] + chunks_of(part) * count + whole[place:]


def into_gif(part: bytes, count: int) -> bytes:
    return saved("GIF")[:-1] + part * count + b";"


def into_webp(part: bytes, count: int) -> bytes:
    chunks = b"VP8X" + struct.pack("<IB3x", 10, 0) + b"\x31\0\0\x27\0\0" + saved("WEBP")[12:] + part * count
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


FLOODS = {
    "texts of a PNG": lambda count: into_png((b"tEXt", b"a\0b"), count),
    "chunks of a PNG that nobody knows": lambda count: into_png((b"abCd", b""), count, after=True),
    "empty pixels of a PNG": lambda count: into_png((b"IDAT", b""), count, after=True),
    "comments of a GIF": lambda count: into_gif(b"!\xfe\1a\0", count),
    "parts of a comment of a GIF": lambda count: into_gif(b"!\xfe" + b"\1a" * count + b"\0", 1),
    "bytes of a GIF between its blocks": lambda count: into_gif(b"\0", count),
    "chunks of a WebP": lambda count: into_webp(b"abcd\0\0\0\0", count),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_parts_is_refused_before_it_is_read(flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode_picture(FLOODS[flood](300), "a").pixels.shape == (40, 50, 3)
    monkeypatch.setattr(Image, "open", lambda *given, **options: pytest.fail("opened"))
    with pytest.raises(ImageError, match=r"^a: more than \d+ parts, which no encoder writes"):
        decode_picture(FLOODS[flood](12_000), "a")


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_a_large_file_of_usual_parts_is_read(kind: str) -> None:
    noise, buffer = np.random.default_rng(0).integers(0, 256, (1500, 2000), np.uint8), io.BytesIO()
    options = {"lossless": True, "method": 0, "quality": 0} if kind == "WEBP" else {}
    Image.fromarray(noise).save(buffer, kind, **options)
    assert len(buffer.getvalue()) > 2**21
    pixels = decode_picture(buffer.getvalue(), "a").pixels
    assert (pixels == noise if pixels.ndim == 2 else pixels == noise[..., None]).all()
