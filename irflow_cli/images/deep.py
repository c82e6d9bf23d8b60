"""Pixels of more than 8 bits, which Pillow does not read or write in colour."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from irflow_cli.errors import ImageError
from irflow_cli.images.picture import BAND, Picture
from irflow_cli.images.texts import chunks_of


def check_depth(pixels: np.ndarray, name: str) -> np.ndarray:
    """Return pixels as they are. Raises ImageError for other depths, and for values that are no numbers."""
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(f"{name}: of a depth that irflow does not read; convert it to a 16-bit PNG")
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        raise ImageError(f"{name}: holds values that are no numbers")
    return pixels


def decode_deep(data: bytes, name: str) -> np.ndarray:
    """Return pixels of more than 8 bits, (H, W) or (H, W, 3 or 4) in the order RGBA."""
    with contextlib.suppress(cv2.error), silent_opencv():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is not None and pixels.dtype in (np.uint16, np.float32):
            pixels = check_depth(pixels, name)
            return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    raise ImageError(f"{name}: damaged, or of a depth that irflow does not read; convert it to a 16-bit PNG")


@contextlib.contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV from printing what the caller says in one line."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def encode_deep_png(picture: Picture) -> bytes:
    """Return a 16-bit PNG, which Pillow cannot write in colour, nor OpenCV with transparency in grey."""
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    height, width, channels = (*pixels.shape, 1)[:3]
    layout = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    tags = picture.tags
    chunks = [(b"IHDR", layout)]
    chunks += [(b"iCCP", b"profile\0\0" + zlib.compress(tags.icc))] if tags.icc else []
    chunks += [(b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in tags.dpi), 1))] if tags.dpi else []
    chunks += chunks_of(tags)
    chunks += [(b"eXIf", tags.exif.removeprefix(b"Exif\0\0"))] if tags.exif else []
    chunks += [(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + tags.xmp)] if tags.xmp else []
    chunks += [(b"IDAT", _packed(pixels, 2 * channels)), (b"IEND", b"")]
    framed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def _packed(pixels: np.ndarray, step: int) -> bytes:
    """Return 16-bit pixels, of `step` bytes each, as a PNG packs them, a band at a time: they are not there twice."""
    packer, parts = zlib.compressobj(), []
    for top in range(0, len(pixels), BAND):
        rows = np.ascontiguousarray(pixels[top : top + BAND], ">u2").view(np.uint8).reshape(-1, pixels.shape[1] * step)
        lines = np.ones((len(rows), rows.shape[1] + 1), np.uint8)  # 1: what follows is less the pixel to the left
        lines[:, 1:] = rows
        lines[:, 1 + step :] -= rows[:, :-step]
        parts.append(packer.compress(lines.tobytes()))
    return b"".join([*parts, packer.flush()])
