"""What a file tells that a result does not: what no format takes along, and what the result's format has no place for. It is
said."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PIL import TiffImagePlugin, TiffTags

from irflow_cli.images.metadata import TIFF_TEXTS, XMP_TAG, Tags
from irflow_cli.images.texts import COMMENT, IPTC_TAG, PHOTOSHOP_TAG, RESOURCES, SEGMENT

SRGB_GAMMA, SRGB_CORNERS = 1 / 2.2, (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
CLOSE = 0.005  # how near to those is the same
USUAL = ((1, 2), (1, 2, 6, 13, 14, 15))  # primaries and transfers of H.273 that are sRGB, near to it, or not given
GONE = (b"hdr-gain-map", b"HDRGainMap", b"photos/1.0/camera", b"photos/1.0/container", b"HasExtendedXMP")
OTHER = ("app1", "8bim", "xmp")  # profiles in a PNG's texts, as ImageMagick writes them, that are not read
SCREENS = (b"mDCV", b"cLLI")  # chunks of a PNG that tell of the screen it was made on, and of its light
CAPTIONED = ("JPEG", "TIFF")  # formats with a place for a caption (IPTC)
COLOURED = ("WEBP", "AVIF")  # formats in which greys are written as colours
MAX_XMP, MAX_EXIF = 65_504, 65_533  # bytes, in a JPEG


def unkept(kind: str, info: dict[Any, Any], data: bytes, xmp: bytes | None) -> list[str]:
    """Return what to tell of a file of format `kind` that no result has, whatever its format."""
    notes = []
    if kind in ("AVIF", "HEIF") and not info.get("icc_profile"):
        found = re.search(rb"colrnclx(..)(..)", data, re.DOTALL)
        numbers = [int.from_bytes(part, "big") for part in found.groups()] if found else [2, 2]
        notes += [] if _is_usual(*numbers) else ["gives its colours by nclx, not by a profile; the result has none"]
    if b"jumb" in data and b"c2pa" in data:
        notes.append("has content credentials (C2PA), which hold for the picture as it was; the result has none")
    if kind == "PNG":
        lost = [
            str(key)
            for key in info
            if str(key).lower().startswith("raw profile type ") and str(key).split()[-1].lower() in OTHER
        ]
        lost += [name.decode() for name in SCREENS if name in data]
        notes += [f"has {', '.join(lost)}, which no result has"] if lost else []
    if xmp and any(name in xmp for name in GONE):
        notes.append("has an XMP that promises a gain map, a moving picture or more XMP; the result has none of them")
    return notes


def unkept_texts(directory: Mapping[int, Any]) -> tuple[str, ...]:
    """Return what to tell of the texts among a TIFF's tags that no result has."""
    if isinstance(directory, TiffImagePlugin.ImageFileDirectory_v2):  # which looks at values only when it is asked for them
        texts = [tag for tag, kind in directory.tagtype.items() if kind == TiffTags.ASCII]
    else:
        texts = [tag for tag, value in directory.items() if isinstance(value, str)]
    lost = sorted(set(texts) - {*TIFF_TEXTS, XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG})  # some write those as texts
    names = [TiffTags.lookup(tag).name for tag in lost]
    told = ", ".join(f"tag {tag}" if name == "unknown" else name for tag, name in zip(lost, names, strict=True))
    return (f"has texts ({told[:80]}), which no result has",) if told else ()


def held(tags: Tags, kind: str) -> tuple[Tags, tuple[str, ...]]:
    """Return what a format has a place for of the tags, and what to tell of the rest."""
    notes = []
    if kind == "BMP" and any((tags.icc, tags.exif, tags.xmp)):
        notes.append("BMP cannot hold a colour profile, EXIF or XMP; left out")
    if kind in COLOURED and of_greys(tags.icc):
        notes.append(f"has a colour profile of greys, which {kind} cannot hold; left out")
        tags = replace(tags, icc=None)
    for name, field, most in (("EXIF", "exif", MAX_EXIF), ("XMP", "xmp", MAX_XMP)):
        if kind == "JPEG" and len(getattr(tags, field) or b"") > most:
            notes.append(f"its {name} is too long for a JPEG; left out")
            tags = replace(tags, **{field: None})
    if kind != "PNG" and tags.colours:
        strange = _strange(dict(tags.colours))
        notes += [f"gives its colours by {strange}, not by a profile, which {kind} cannot hold; left out"] if strange else []
        tags = replace(tags, colours=())
    if tags.caption and (kind not in CAPTIONED or (kind == "JPEG" and len(tags.caption) + len(RESOURCES) + 13 > SEGMENT)):
        notes.append(f"has a caption (IPTC) that {kind} cannot hold; left out")
        tags = replace(tags, caption=None)
    fitting = tuple(pair for pair in tags.texts if _fits(pair, kind))
    if len(fitting) < len(tags.texts):
        lost = ", ".join(dict.fromkeys(key for key, _ in tags.texts if (key, _) not in fitting))
        notes.append(f"has texts ({lost[:80]}) that {kind} cannot hold; left out")
        tags = replace(tags, texts=fitting)
    return tags, tuple(notes)


def of_greys(profile: bytes | None) -> bool:
    """Return whether a colour profile is about greys, which makes no sense in a file of colours."""
    return profile is not None and profile[16:20] == b"GRAY"


def _fits(text: tuple[str, str], kind: str) -> bool:
    small = len(text[1].encode("utf-8", "surrogateescape")) <= SEGMENT
    return kind == "PNG" or (kind == "JPEG" and text[0] == COMMENT and small)


def _strange(colours: dict[bytes, bytes]) -> str | None:
    """Return which chunks of a PNG tell of colours that are not sRGB's. The first of them in their order counts."""
    if len(numbers := colours.get(b"cICP", b"")) == 4:
        return None if _is_usual(numbers[0], numbers[1]) else "cICP"
    if b"sRGB" in colours:
        return None
    (gamma,) = struct.unpack(">I", found) if len(found := colours.get(b"gAMA", b"")) == 4 else (SRGB_GAMMA * 1e5,)
    corners = struct.unpack(">8I", found) if len(found := colours.get(b"cHRM", b"")) == 32 else ()
    other = any(abs(one / 1e5 - usual) > CLOSE for one, usual in zip(corners, SRGB_CORNERS, strict=False))
    strange = ["gAMA"] * (abs(gamma / 1e5 - SRGB_GAMMA) > CLOSE) + ["cHRM"] * other
    return " and ".join(strange) or None


def _is_usual(primaries: int, transfer: int) -> bool:
    return primaries in USUAL[0] and transfer in USUAL[1]
