"""Files of pictures, read only as far as their pixels can fill them: a file on a disk may be a hole of any size."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from irflow_cli.errors import ImageError
from irflow_cli.regular import open_regular, read_regular

FREE = 2**26  # bytes that a file may have whatever its pixels: profiles, texts, smaller copies
PACKED = 2  # bytes a pixel that files have whose formats always pack, such as JPEG
TIFF = (b"II*\0", b"MM\0*", b"II+\0")  # how those begin whose table of contents is read here


def most_of(max_pixels: int) -> int:
    """Return the bytes of the largest file of so many pixels: four floating-point numbers each, and what goes with them."""
    return 16 * max_pixels + FREE


def read_file(path: Path, max_pixels: int) -> bytes:
    """Return the bytes of a picture's file. Raises ImageError where it cannot be read, and where it is larger than a picture of
    `max_pixels` or, of formats whose beginning tells it, than its own pixels can fill."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            check_size(path, size, max_pixels)
            if size > FREE and size > FREE + _fillable(file, max_pixels):
                raise ImageError(f"{path}: damaged: its {size / 2**20:.0f} MiB are more than its pixels can fill")
        return read_regular(path, most_of(max_pixels))
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from None


def check_size(path: Path, size: int, max_pixels: int) -> None:
    """Raise ImageError for a file of more bytes than any picture of `max_pixels` has."""
    if size > most_of(max_pixels):
        raise ImageError(f"{path}: too large a file for {max_pixels} pixels; `max_pixels` raises the limit")


def _fillable(file: BinaryIO, max_pixels: int) -> int:
    """Return how many bytes the pixels of an opened file fill at most, by its beginning."""
    head = file.read(32)
    try:
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack(">II", head[16:24])
            return 9 * width * height  # 16 bits of four channels, and what does not pack
        if head[:2] == b"BM":
            width, height = struct.unpack("<HH" if head[14] == 12 else "<ii", head[18 : 22 if head[14] == 12 else 26])
            return 4 * abs(width * height)
        if head[:4] in TIFF:
            from PIL import TiffImagePlugin  # only here, for a page lists its folder before it loads what reads pictures

            directory = TiffImagePlugin.ImageFileDirectory_v2(head[: 16 if head[:4] == TIFF[2] else 8])
            file.seek(directory.next)
            directory.load(file)
            return 64 * int(directory[256]) * int(directory[257])  # floats of 64 bits, and smaller copies
    except (KeyError, TypeError, ValueError, SyntaxError, struct.error):
        return 0
    return PACKED * max_pixels
