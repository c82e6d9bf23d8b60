"""The JPEGs in which a TIFF packs its strips or tiles (TIFF technical note 2), each put together to a whole one, to be looked
through for damage: readers of TIFFs pass over it."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from PIL import Image

from irflow_cli.errors import ImageError
from irflow_cli.images.deep import silent_opencv
from irflow_cli.images.directories import note_of_pages
from irflow_cli.images.layout import several
from irflow_cli.images.scans import frame_size
from irflow_cli.images.tiff import directory_of

OLD, PACKED = 6, (7, 33007)  # compressions that are JPEG: as TIFF 6 had it, and each strip by itself
STREAM, LENGTH = 513, 514  # the entries that say where a whole one lies, of the old kind
TABLES, PLANES, ROWS = 347, 284, 278  # tables for all strips; whether each channel has strips of its own; a strip's rows
STRIPS, TILES = (273, 279), (324, 325)  # the entries that tell where they begin, and their bytes
MOST = 2**17  # strips and tiles; of a picture at the limit, tiles of 32 x 32
BLOCK = 16  # pixels, up to whose multiples an encoder may fill a strip
BEGIN, END = b"\xff\xd8", b"\xff\xd9"


def jpegs_of_tiff(data: bytes, name: str, max_pixels: int) -> list[bytes]:
    """Return the strips or tiles of a TIFF's first page as JPEGs; none where it is packed otherwise or larger than the limit.

    Raises ImageError where some are missing, or of another size than their pixels.
    """
    note_of_pages(data, name)  # before anything else walks through its directories
    try:
        tags = directory_of(data, name)
        packed, width, height = (several(tags, tag, 1)[0] for tag in (259, 256, 257))
        if width * height > max_pixels:
            return []
        if packed == OLD:
            start, count = several(tags, STREAM, 0)[0], several(tags, LENGTH, 0)[0]
            return [data[start : start + count]] if data[start : start + 2] == BEGIN else []
        return _strips(tags, data, name, (height, width)) if packed in PACKED else []
    except (KeyError, TypeError, ValueError, SyntaxError, IndexError, ArithmeticError, struct.error):
        return []  # its reader will say what is wrong


def _strips(tags: Mapping[int, Any], data: bytes, name: str, size: tuple[int, int]) -> list[bytes]:
    tiled = TILES[0] in tags
    down, across = (tags[323], tags[322]) if tiled else (min(several(tags, ROWS, size[0])[0], size[0]), size[1])
    planes = several(tags, 277, 1)[0] if several(tags, PLANES, 1)[0] == 2 else 1
    count = -(-size[0] // down) * -(-size[1] // across) * planes
    places = list(zip(*(several(tags, tag, 0) for tag in (TILES if tiled else STRIPS)), strict=False))[:count]
    if len(places) < count or any(not length or start + length > len(data) for start, length in places):
        raise ImageError(f"{name}: damaged or incomplete: some of its strips or tiles are missing")
    if count > MOST:
        raise ImageError(f"{name}: has {count} strips or tiles, which no encoder writes")
    tables = bytes(tags.get(TABLES, b"")).removesuffix(END)
    parts = []
    for start, length in places:
        part = data[start : start + length]
        parts.append(tables + part.removeprefix(BEGIN) if tables else part)
        high, wide = frame_size(parts[-1]) or (0, 0)
        if not (0 < high < down + BLOCK and 0 < wide < across + BLOCK):
            raise ImageError(f"{name}: damaged: one of its strips or tiles is not of the size of its pixels")
    return parts


def unpack(jpegs: list[bytes]) -> None:
    """Let libjpeg go through all of them, so that it tells of damage. Raises ImageError for what is no JPEG."""
    for jpeg in jpegs:
        with contextlib.suppress(cv2.error), silent_opencv():
            small = cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION  # unpacks all, and keeps little
            if cv2.imdecode(np.frombuffer(jpeg, np.uint8), small) is not None:
                continue
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:  # what OpenCV does not know, such as two channels
            image.load()
