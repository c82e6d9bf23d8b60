"""What a file says beside its pixels: colour profile, EXIF, XMP and the size in print; captions and texts stand in `texts`."""

from __future__ import annotations

import html
import math
import re
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

from PIL import ExifTags, Image

PLACE = re.compile(r"gps|\bgeo:|latitude|longitude|location|(photoshop|iptc4xmp\w*):(city|state|country)", re.IGNORECASE)
PROFILE = re.compile("raw profile type ", re.IGNORECASE)  # keys of texts that are profiles, whatever is in them
ORIENTATION, EXIF_IFD, GPS_IFD, INTEROP_IFD, XMP_TAG, ICC_TAG = 0x0112, 0x8769, 0x8825, 0xA005, 700, 34675
WITHOUT_END = "Expecting to read 4 bytes"  # what Pillow warns of an EXIF that is whole but for where the next would stand
NOTE_TAG = 0x927C  # what makers of cameras note in a form of their own
ACROSS, DOWN, UNIT, INCH = 282, 283, 296, 2  # entries of the size in print, and what the unit is of pixels an inch
SIZED_BY_EXIF = ("WEBP", "AVIF", "HEIF")  # formats that have no other place for it
DAMAGED = "its EXIF is damaged; it is left out"
# Entries of a TIFF that are texts, or ratings: names of document and page, description, make, model, software, date, artist,
# computer, copyright, and those of Windows.
TIFF_TEXTS = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 18246, 18249, *range(40091, 40096))


@dataclass(frozen=True)
class Tags:
    """What a file says beside its pixels: as bytes colour profile, EXIF (with its prefix, upright) and XMP; dpi, the pixels an
    inch, across and down, at which it is to be printed; caption, an IPTC block; texts by key, "Comment" where a format knows
    none; colours, the chunks of a PNG that say what its colours are."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    caption: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    colours: tuple[tuple[bytes, bytes], ...] = ()


def exif_of(load: Callable[[], Image.Exif], kind: str, *, told: bool = False) -> tuple[bytes | None, int, tuple[str, ...]]:
    """Return the EXIF to take along, upright, the orientation that it tells, and what to tell of it. Of a TIFF only what does
    not describe its own layout is taken. What is damaged is left out, for it is not worth the picture.

    told: whether there is an EXIF, which may be so broken that nothing is loaded of it.
    """
    block, turn = None, 1
    with warnings.catch_warnings(record=True) as lost:
        warnings.simplefilter("always")
        try:
            exif = load()
            turn = exif.get(ORIENTATION, 1)
            block = _upright_block(exif, kind)
            broken = told and not block
        except Exception:  # Pillow raises errors of all kinds
            broken = True
    if broken:
        return None, turn, (DAMAGED,)
    if any(WITHOUT_END not in str(one.message) for one in lost):
        return block, turn, ("parts of its EXIF are damaged; they are left out",)
    return block, turn, ()


def _upright_block(exif: Image.Exif, kind: str) -> bytes | None:
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
    return as_undefined(exif.tobytes()) if len(exif) else None


def as_undefined(exif: bytes) -> bytes:
    """Return an EXIF block whose EXIF directory says UNDEFINED where it says BYTE, as `mark_undefined`."""
    block = bytearray(exif)
    mark_undefined(block)
    return bytes(block)


def mark_undefined(block: bytearray | memoryview) -> None:
    """Let an EXIF block, or a TIFF, say of bytes in its EXIF directory that they are UNDEFINED: the standard has no BYTE there,
    and Pillow writes comments and notes of makers as such. Raises struct.error for what is neither."""
    start = 6 if block[:6] == b"Exif\0\0" else 0
    order = "<" if block[start : start + 2] == b"II" else ">"

    def entries(directory: int) -> list[tuple[int, int, int, int]]:
        (count,) = struct.unpack_from(f"{order}H", block, start + directory)
        places = [start + directory + 2 + 12 * index for index in range(count)]
        return [(place, *struct.unpack_from(f"{order}HH4xI", block, place)) for place in places]

    (first,) = struct.unpack_from(f"{order}I", block, start + 4)
    for _, tag, _, directory in entries(first):
        for place, _, kind, _ in entries(directory) if tag == EXIF_IFD else ():
            if kind == 1:
                struct.pack_into(f"{order}H", block, place + 2, 7)


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


def dpi_in(exif: bytes | None) -> tuple[float, float] | None:
    """Return the pixels an inch, across and down, that an EXIF block tells."""
    parsed = Image.Exif()
    parsed.load(exif or b"")
    across, down = parsed.get(ACROSS), parsed.get(DOWN)
    a_unit = {INCH: 1.0, 3: 2.54}.get(parsed.get(UNIT, INCH))
    if not (a_unit and isinstance(across, Real) and isinstance(down, Real)):
        return None
    return dpi_of((float(across) * a_unit, float(down) * a_unit), 1)


def printed(exif: bytes | None, dpi: tuple[float, float]) -> bytes:
    """Return an EXIF block, otherwise as it is, that tells the size in print."""
    if exif and dpi_in(exif) == dpi:
        return exif
    parsed = Image.Exif()
    parsed.load(exif or b"")
    parsed.update({ACROSS: dpi[0], DOWN: dpi[1], UNIT: INCH})
    return as_undefined(parsed.tobytes())


def kept_tags(tags: Tags, policy: str) -> tuple[Tags, tuple[str, ...]]:
    """Return what of the tags a policy of `Coding.metadata` keeps, and what to tell of the rest. Colours are always kept."""
    if policy == "strip":
        return Tags(tags.icc, dpi=tags.dpi, colours=tags.colours), ()
    if policy == "keep":
        return tags, ()
    exif, notes = _without_place(tags.exif) if tags.exif else (None, ())
    xmp = tags.xmp
    if xmp and _names_place(xmp):
        xmp, notes = None, (*notes, "its XMP names a place and was left out")
    if tags.caption:
        notes += ("its caption (IPTC) may name a place and was left out",)
    texts = tuple(pair for pair in tags.texts if not PLACE.search(" ".join(pair)) and not PROFILE.match(pair[0]))
    if len(texts) < len(tags.texts):
        notes += ("one of its texts names a place and was left out",)
    return replace(tags, exif=exif, xmp=xmp, caption=None, texts=texts), notes


def _without_place(exif: bytes) -> tuple[bytes | None, tuple[str, ...]]:
    """Return an EXIF block without its place and what in it names one or may, None where nothing is left, and what to tell."""
    parsed, kept = Image.Exif(), Image.Exif()
    parsed.load(exif)
    outer, inner = dict(parsed), dict(parsed.get_ifd(EXIF_IFD))
    if INTEROP_IFD in inner:
        inner[INTEROP_IFD] = dict(parsed.get_ifd(INTEROP_IFD))
    said = sorted((tag, value) for tag, value in (outer | inner).items() if isinstance(value, (str, bytes)) and tag != NOTE_TAG)
    texts = [tag for tag, value in said if _names_place(value)]
    noted = NOTE_TAG in inner
    if not (texts or noted or GPS_IFD in parsed):
        return exif, ()
    left_out = {*texts, NOTE_TAG, GPS_IFD, EXIF_IFD}
    kept.update({tag: value for tag, value in outer.items() if tag not in left_out})
    inner = {tag: value for tag, value in inner.items() if tag not in left_out}
    kept.update({EXIF_IFD: inner} if inner else {})
    names = ", ".join(ExifTags.TAGS.get(tag, str(tag)) for tag in texts)
    notes = (f"its EXIF names a place in {names}; left out",) if names else ()
    notes += ("its maker's note (EXIF) may name a place and was left out",) if noted else ()
    return as_undefined(kept.tobytes()) if len(kept) else None, notes


def _names_place(said: str | bytes) -> bool:
    """Return whether an XMP or a text, of whatever encoding, names a place."""
    xmp = said.encode("utf-8", "surrogateescape") if isinstance(said, str) else said
    text = xmp.replace(b"\0", b"").decode("utf-8", "replace")  # of UTF-16 and UTF-32, too, what is Latin is left
    return bool(PLACE.search(html.unescape(text)))


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
