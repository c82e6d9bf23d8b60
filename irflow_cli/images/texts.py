"""Captions, comments, texts, and colours given outside of a profile: found in files of each format, and put into them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from PIL import Image

from irflow_cli.images.metadata import Tags

IPTC_TAG, PHOTOSHOP_TAG = 33723, 34377  # of a TIFF
RESOURCES, IPTC = b"Photoshop 3.0\0", 0x0404  # how a JPEG's segment of Photoshop's begins, and a caption's number in it
COLOURS = (b"cICP", b"sRGB", b"gAMA", b"cHRM")  # chunks of a PNG that say what its colours are
COMMENT = "Comment"  # the key of what a format has that knows no other
SEGMENT = 2**16 - 3  # bytes in a JPEG's segment
ELSEWHERE = ("XML:com.adobe.xmp", "Raw profile type ")  # keys of texts that are an XMP, or profiles, which are read as such


def texts_of(image: Image.Image, kind: str) -> tuple[tuple[str, str], ...]:
    """Return the texts, by key, of an opened file of format `kind`, whose pixels were read. Bytes that are no text are kept."""
    if kind == "PNG":
        found = getattr(image, "text", {}).items()
        return tuple((key, str(text)) for key, text in found if not key.startswith(ELSEWHERE) or key.endswith(" iptc"))
    said = [content for name, content in getattr(image, "applist", ()) if name == "COM"]
    said += [image.info["comment"]] if kind == "GIF" and image.info.get("comment") else []
    return tuple((COMMENT, one.decode("utf-8", "surrogateescape")) for one in said if one)


def caption_of(image: Image.Image, kind: str) -> bytes | None:
    """Return the caption (IPTC) of an opened file, as it stands in it."""
    if kind == "JPEG":
        found = image.info.get("photoshop", {})
        return (found.get(IPTC) or None) if isinstance(found, dict) else None
    return caption_in(image.tag_v2) if kind == "TIFF" else None  # type: ignore[attr-defined]


def caption_in(directory: Mapping[int, Any]) -> bytes | None:
    """Return the caption that a TIFF's tags hold, by itself or among Photoshop's resources."""
    stored = getattr(directory, "_tagdata", {})  # Pillow's, whole: of a caption of 32-bit numbers its value is the first
    found = stored.get(IPTC_TAG) or directory.get(IPTC_TAG)
    resources = directory.get(PHOTOSHOP_TAG)
    if not found and isinstance(resources, bytes):
        found = _resource_of(resources)
    return bytes(found) if isinstance(found, bytes) and found else None


def _resource_of(data: bytes) -> bytes | None:
    place = 0
    while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
        name = 1 + data[place + 6]
        start = place + 6 + name + name % 2
        size = int.from_bytes(data[start : start + 4], "big")
        if int.from_bytes(data[place + 4 : place + 6], "big") == IPTC:
            return data[start + 4 : start + 4 + size]
        place = start + 4 + size + size % 2
    return None


def colours_of(data: bytes, *, profile: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Return the chunks of a PNG that say what its colours are; of one with a profile, the one that comes before it."""
    found, place = [], 8
    while place + 8 <= len(data) and (name := data[place + 4 : place + 8]) != b"IDAT":
        size = int.from_bytes(data[place : place + 4], "big")
        if name in COLOURS[: 1 if profile else None]:
            found.append((name, data[place + 8 : place + 8 + size]))
        place += 12 + size
    return tuple(found)


def chunks_of(tags: Tags) -> list[tuple[bytes, bytes]]:
    """Return what a PNG holds of the tags: chunks, by their names, that stand before the pixels."""
    chunks = list(tags.colours)
    for key, text in tags.texts:
        name = key.encode("latin-1", "replace")[:79]
        try:
            chunks.append((b"tEXt", name + b"\0" + text.encode("latin-1")))
        except UnicodeEncodeError:
            plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            chunks.append((b"iTXt", name + bytes(5) + plain.encode()))
    return chunks


def segments_of(tags: Tags) -> bytes:
    """Return what a JPEG holds of the tags: segments that stand before the pixels."""
    segments = []
    if tags.caption:
        resource = b"8BIM" + struct.pack(">HHI", IPTC, 0, len(tags.caption)) + tags.caption + bytes(len(tags.caption) % 2)
        segments.append((0xED, RESOURCES + resource))
    segments += [(0xFE, text.encode("utf-8", "surrogateescape")) for key, text in tags.texts if key == COMMENT]
    return b"".join(struct.pack(">BBH", 0xFF, mark, len(data) + 2) + data for mark, data in segments)
