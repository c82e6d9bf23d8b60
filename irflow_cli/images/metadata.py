"""What a file says beside its pixels: colour profile, EXIF, XMP and the size in print."""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from PIL import Image, PngImagePlugin

ORIENTATION, EXIF_IFD, GPS_IFD, XMP_TAG, ICC_TAG = 0x0112, 0x8769, 0x8825, 700, 34675
TIFF_TEXTS = (270, 271, 272, 305, 306, 315, 33432)  # description, make, model, software, date, artist, copyright


@dataclass(frozen=True)
class Tags:
    """What a file says beside its pixels: as bytes colour profile, EXIF (with its prefix, upright) and XMP; dpi, the pixels an
    inch, across and down, at which it is to be printed."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


def exif_of(exif: Image.Exif, kind: str) -> bytes | None:
    """Return the EXIF to take along: upright, and of a TIFF only what does not describe its own layout."""
    if kind == "TIFF":
        whole, exif = exif, Image.Exif()
        for tag in TIFF_TEXTS:
            if tag in whole:
                exif[tag] = whole[tag]
        for tag in (EXIF_IFD, GPS_IFD):
            if whole.get_ifd(tag):
                exif[tag] = dict(whole.get_ifd(tag))
    if ORIENTATION in exif:
        exif[ORIENTATION] = 1
    with contextlib.suppress(Exception):  # a damaged EXIF block is not worth the picture
        return exif.tobytes() if len(exif) else None
    return None


def xmp_of(image: Image.Image) -> bytes | None:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if xmp is None and image.format == "TIFF":
        xmp = image.tag_v2.get(XMP_TAG)  # type: ignore[attr-defined]
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp) if xmp else None
    return xmp and re.sub(rb"""(tiff:Orientation(?:=["']|>))[2-8]""", rb"\g<1>1", xmp)


def dpi_of(dpi: object, turn: int) -> tuple[float, float] | None:
    """Return the pixels an inch, across and down, of a picture whose EXIF orientation `turn` was undone; to a tenth, for some
    formats count by the metre."""
    across, down = (round(float(value or 0), 1) for value in dpi) if isinstance(dpi, tuple) else (0.0, 0.0)
    if not (0 < across < math.inf and 0 < down < math.inf):
        return None
    return (down, across) if turn in (5, 6, 7, 8) else (across, down)


def kept_tags(tags: Tags, policy: str) -> tuple[Tags, tuple[str, ...]]:
    if policy == "strip":
        return Tags(tags.icc, dpi=tags.dpi), ()
    if policy == "keep":
        return tags, ()
    exif, notes = tags.exif, ()
    if exif:
        parsed = Image.Exif()
        parsed.load(exif)
        if GPS_IFD in parsed:
            del parsed[GPS_IFD]
            exif = parsed.tobytes()
    xmp = tags.xmp
    if xmp and b"GPS" in xmp:
        xmp, notes = None, ("its XMP names a place and was left out",)
    return replace(tags, exif=exif, xmp=xmp), notes


def sized(exif: bytes, shape: tuple[int, ...]) -> bytes:
    """Return an EXIF block, otherwise as it is, that tells the height and width of `shape` where it tells a size in pixels."""
    little = exif.removeprefix(b"Exif\0\0")[:2] == b"II"
    order: Literal["little", "big"] = "little" if little else "big"
    for tag, pixels in ((0xA002, shape[1]), (0xA003, shape[0])):
        for kind, width in ((3, 2), (4, 4)):
            head = tag.to_bytes(2, order) + kind.to_bytes(2, order) + (1).to_bytes(4, order)
            place = exif.find(head)
            if place >= 0 and pixels < 256**width:
                value = pixels.to_bytes(width, order) + bytes(4 - width)
                exif = exif[: place + 8] + value + exif[place + 12 :]
    return exif


def xmp_options(xmp: bytes, kind: str) -> dict[str, Any]:
    if kind != "PNG":
        return {"xmp": xmp}
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", xmp.decode(errors="replace"))
    return {"pnginfo": texts}
