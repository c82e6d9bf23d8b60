"""What a file tells that a result does not: colours outside of a profile, captions, comments and texts. It is said."""

from __future__ import annotations

import re
from typing import Any

from PIL import Image

SRGB_GAMMA, SRGB_CORNERS = 1 / 2.2, (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
CLOSE = 0.005  # how near to those is the same
USUAL = ((1, 2), (1, 2, 6, 13, 14, 15))  # primaries and transfers of H.273 that are sRGB, near to it, or not told
GONE = (b"hdr-gain-map", b"HDRGainMap", b"photos/1.0/camera", b"photos/1.0/container", b"HasExtendedXMP")
IPTC_TAGS = (33723, 34377)  # of a TIFF: IPTC, and Photoshop's resources


def unkept(image: Image.Image, kind: str, data: bytes, xmp: bytes | None) -> list[str]:
    """Return what to tell of an opened file, whose format is `kind`."""
    info, notes = image.info, []
    if not info.get("icc_profile"):
        notes += [
            f"tells its colours by {how}, not by a profile; the result does not tell them" for how in _colours(info, kind, data)
        ]
    if b"Photoshop 3.0\0" in data[: 2**20] and b"8BIM\x04\x04" in data[: 2**20] and kind == "JPEG":
        notes.append("has a caption (IPTC), which is left out")
    if kind == "TIFF" and any(tag in image.tag_v2 for tag in IPTC_TAGS):  # type: ignore[attr-defined]
        notes.append("has a caption (IPTC), which is left out")
    if kind in ("JPEG", "GIF") and info.get("comment"):
        notes.append("has a comment, which is left out")
    if kind == "PNG":
        texts = [key for key in getattr(image, "text", {}) if not key.startswith(("XML:com.adobe.xmp", "Raw profile type"))]
        notes += [f"has texts ({', '.join(texts[:5])}), which are left out"] if texts else []
        notes += ["has a caption (IPTC), which is left out"] if "Raw profile type iptc" in info else []
    if xmp and any(name in xmp for name in GONE):
        notes.append("has an XMP that promises a gain map, a moving picture or more XMP; the result has none of them")
    return notes


def _colours(info: dict[Any, Any], kind: str, data: bytes) -> list[str]:
    """Return how a file without a profile tells of colours that are not sRGB's."""
    if kind == "PNG":
        head = data[: data.find(b"IDAT")]
        place = head.find(b"cICP")
        if place >= 0:
            return [] if _is_usual(head[place + 4], head[place + 5]) else ["cICP"]
        if "srgb" in info:
            return []
        gamma, corners = info.get("gamma"), info.get("chromaticity")
        far = gamma is not None and abs(gamma - SRGB_GAMMA) > CLOSE
        other = corners is not None and max(abs(a - b) for a, b in zip(corners, SRGB_CORNERS, strict=True)) > CLOSE
        return (["gAMA"] if far else []) + (["cHRM"] if other else [])
    if kind in ("AVIF", "HEIF"):
        found = re.search(rb"colrnclx(..)(..)", data, re.DOTALL)
        numbers = [int.from_bytes(part, "big") for part in found.groups()] if found else [2, 2]
        return [] if _is_usual(*numbers) else ["nclx"]
    return []


def _is_usual(primaries: int, transfer: int) -> bool:
    return primaries in USUAL[0] and transfer in USUAL[1]
