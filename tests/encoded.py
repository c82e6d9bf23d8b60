"""Files of pictures for tests: written as they are, with tags, and PNGs put together chunk by chunk."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from drawn import scene
from PIL import Image, ImageCms

from irflow_cli.images.encode import encode_picture
from irflow_cli.images.metadata import EXIF_IFD, GPS_IFD, Tags
from irflow_cli.images.picture import Picture

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><place exif:GPSLatitude="1"/></x:xmpmeta>'
PNG = b"\x89PNG\r\n\x1a\n"  # what every PNG begins with
Chunk = tuple[bytes, bytes]  # kind and content
Entry = tuple[int, int, int, int]  # of a TIFF's directory: tag, type, count, value


def stored(tmp_path: Path, data: bytes, name: str = "picture.png") -> Path:
    """Write a file and return its path."""
    path = tmp_path / name
    path.write_bytes(data)
    return path


def tagged(tmp_path: Path, kind: str = "JPEG") -> Path:
    """Return a file with a colour profile, EXIF with a place in it, and XMP."""
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif[EXIF_IFD] = {36867: "2020:01:02 03:04:05"}
    exif[GPS_IFD] = {1: "N", 2: (1.0, 2.0, 3.0)}
    tags = Tags(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), exif.tobytes(), XMP)
    return stored(tmp_path, encode_picture(Picture(scene(16, 16), None, kind, tags), kind)[0], "tagged")


def chunks_of(*chunks: Chunk) -> bytes:
    """Return chunks of a PNG with their lengths and check sums."""
    return b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def png_of(width: int, height: int, bits: int, rows: Iterable[bytes], *before: Chunk) -> bytes:
    """Return a grey PNG from its rows, packed and without filters, with chunks `before` its pixels."""
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(b"\0" + row) for row in rows) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return PNG + chunks_of((b"IHDR", header), *before, (b"IDAT", pixels), (b"IEND", b""))


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Return `data` with one to four damages: bits turned over, bytes replaced, cut off, put in, doubled or left out, most of
    them near the beginning, where files say what they are."""
    degraded = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        place = draw.randrange(max(1, min(len(degraded), draw.choice((400, len(degraded) + 1)))))
        length = draw.choice((1, 2, 4, 12, 60))
        kind = draw.choice(("turn over", "replace", "number", "cut off", "put in", "double", "leave out"))
        if kind == "turn over" and degraded:
            degraded[place] ^= 1 << draw.randrange(8)
        elif kind == "replace":
            degraded[place : place + 1] = bytes([draw.choice((0, 1, 127, 128, 255))])
        elif kind == "number":  # as large or small as one of 32 bits can be
            degraded[place : place + 4] = draw.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"))
        elif kind == "cut off":
            del degraded[place:]
        elif kind == "put in":
            degraded[place:place] = draw.randbytes(length)
        elif kind == "double":
            degraded[place:place] = degraded[place : place + length]
        elif kind == "leave out":
            del degraded[place : place + length]
    return bytes(degraded)


def packed_bits(values: np.ndarray, bits: int) -> list[bytes]:
    """Return the rows (H, W) of numbers below 2**bits, `bits` from 1 to 16, each packed into bytes, the highest bit first."""
    wide = np.unpackbits(values.astype(">u2")[..., None].view(np.uint8), axis=2)[..., 16 - bits :]
    return [np.packbits(row.ravel()).tobytes() for row in wide]


def tiff_of(entries: list[Entry], *parts: tuple[int, bytes], order: str = "<") -> bytes:
    """Return a TIFF of one directory, with bytes at places."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    data = bytearray(head + struct.pack(f"{order}H", len(entries)))
    data += b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries) + bytes(4)
    for place, part in parts:
        data += bytes(max(0, place + len(part) - len(data)))
        data[place : place + len(part)] = part
    return bytes(data)


def archive_of(path: Path, content: bytes, *, packed: bool = False, times: int = 1) -> Path:
    """Write what torch saves in, around a pickle; its table names the pickle `times` times."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3")
    if times > 1:  # entries of the table that all lead to the first part
        with zipfile.ZipFile(path, "a") as archive:
            first = archive.infolist()[0]
            archive.filelist += [first] * (times - 1)
            archive._didModify = True  # type: ignore[attr-defined]
    return path


def grainy_jpeg(**options: object) -> bytes:
    """Return a noisy scene as a JPEG."""
    noisy = scene(200, 300).astype(int) + np.random.default_rng(0).normal(0, 9, (200, 300, 3)).astype(int)
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


CAPTION = b"\x1c\x02\x78\0\3abc"


def captioned() -> bytes:
    """Return a JPEG with a caption beside other resources of Photoshop's, and two comments, one of no encoding."""
    resources = [(0x040C, b"thumbnail"), (0x0404, CAPTION), (0x0421, b"")]
    segment = b"Photoshop 3.0\0" + b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2) for number, data in resources
    )
    segments = [(0xED, segment), (0xFE, b"by a studio"), (0xFE, b"1999 \xe9\xff")]
    whole = grainy_jpeg()
    return whole[:2] + b"".join(struct.pack(">BBH", 255, mark, len(data) + 2) + data for mark, data in segments) + whole[2:]
