"""Pictures into the bytes of files: what each format can hold, and what is said when it cannot."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from irflow_cli.errors import ImageError, UsageError
from irflow_cli.runtime.images import (
    BAND,
    EXIF_IFD,
    GPS_IFD,
    ICC_TAG,
    TIFF_TEXTS,
    XMP_TAG,
    Picture,
    Tags,
    as_depth,
    register_heif,
)


class Format(NamedTuple):
    """What a format holds: types of pixels, transparency, whether it is exact always, on demand, or never, and how many pixels
    a side."""

    dtypes: tuple[str, ...]
    alpha: bool
    exact: str
    side: int = 2**31 - 1


FORMATS = {
    "PNG": Format(("uint8", "uint16"), True, "always"),
    "TIFF": Format(("uint8", "uint16", "float32"), True, "always"),
    "BMP": Format(("uint8",), False, "always"),
    "WEBP": Format(("uint8",), True, "on demand", 16383),
    "JPEG": Format(("uint8",), False, "never", 65500),
    "AVIF": Format(("uint8",), True, "never", 65535),
    "HEIF": Format(("uint8",), True, "never"),
}
METADATA = ("keep", "strip", "no-gps")
MAX_XMP, MAX_EXIF = 65_504, 65_533  # bytes, in a JPEG
PNG_LEVEL = 2  # of zlib: at 6 photographs get smaller by some 8 hundredths, in four times the time
QUALITY = 92  # of lossy files whose source does not say


@dataclass(frozen=True)
class Coding:
    """How results are written. quality: 1 to 100, None as the source; metadata: keep EXIF and XMP, strip them, or keep
    all but the place. The colour profile is always kept, for the colours mean nothing without it."""

    quality: int | None = None
    lossless: bool = False
    metadata: str = "keep"

    def check(self) -> None:
        """Raise UsageError for values that make no sense."""
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"--quality goes from 1 to 100, got {self.quality}")
        if self.metadata not in METADATA:
            raise UsageError(f"--metadata is one of {', '.join(METADATA)}, got {self.metadata!r}")
        if self.lossless and self.quality is not None:
            raise UsageError("--lossless and --quality contradict each other; give one of them")


def check_encoding(picture: Picture, kind: str, coding: Coding) -> None:
    """Raise ImageError for a picture that format `kind` cannot hold, for its transparency or, where asked, without loss."""
    if picture.alpha is not None and not FORMATS[kind].alpha:
        raise ImageError(f"{kind} cannot hold transparency; write PNG or WebP (--format)")
    side, most = max(picture.pixels.shape[:2]), FORMATS[kind].side
    if side > most:
        raise ImageError(f"{kind} holds up to {most} pixels a side, not {side}; write PNG or TIFF (--format)")
    if kind == "HEIF":
        register_heif()
    if coding.lossless and FORMATS[kind].exact == "never":
        raise ImageError(f"{kind} cannot be written without loss here; write PNG or WebP (--format)")


def encode_picture(
    picture: Picture, kind: str, coding: Coding | None = None, *, spend: bool = False
) -> tuple[bytes, tuple[str, ...]]:
    """Return the picture as the bytes of a file of format `kind`, and what got lost on the way, to be said.

    Depth and tags that the format cannot hold are rounded or left out, and said. With `spend` the memory of the pixels may be
    given back while they are written, so that a large picture is not there twice: nothing may look at them afterwards.
    Raises ImageError as `check_encoding` does.
    """
    coding, form, notes = coding or Coding(), FORMATS[kind], []
    check_encoding(picture, kind, coding)
    if coding.quality is not None and form.exact == "always":
        notes.append(f"{kind} has no quality; --quality is left out")
    if kind == "BMP" and any((picture.tags.icc, picture.tags.exif, picture.tags.xmp)):
        notes.append("BMP cannot hold a colour profile, EXIF or XMP; left out")
    if kind == "JPEG" and picture.tags.exif and len(picture.tags.exif) > MAX_EXIF:
        notes.append("its EXIF is too long for a JPEG; left out")
        picture = replace(picture, tags=replace(picture.tags, exif=None))
    if kind == "JPEG" and picture.tags.xmp and len(picture.tags.xmp) > MAX_XMP:
        notes.append("its XMP is too long for a JPEG; left out")
        picture = replace(picture, tags=replace(picture.tags, xmp=None))
    if picture.pixels.dtype.name not in form.dtypes:
        dtype = np.dtype(form.dtypes[-1])
        notes.append(f"{kind} cannot hold {picture.pixels.dtype.name}; written as {dtype.name}")
        if picture.pixels.dtype.kind == "f" and (picture.pixels.min() < 0 or picture.pixels.max() > 1):
            notes.append("values beyond 0 to 1 were clipped")
        alpha = None if picture.alpha is None else as_depth(picture.alpha, dtype)
        picture = replace(picture, pixels=as_depth(picture.pixels, dtype), alpha=alpha)
    tags, said = _tags(picture.tags, coding.metadata)
    picture = replace(picture, tags=tags)
    if picture.pixels.dtype == np.uint8:
        data = _by_pillow(picture, kind, coding, spend)
    else:
        data = _deep_tiff(picture) if kind == "TIFF" else _deep_png(picture)
    return data, (*notes, *said)


def _tags(tags: Tags, policy: str) -> tuple[Tags, tuple[str, ...]]:
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


def _by_pillow(picture: Picture, kind: str, coding: Coding, spend: bool) -> bytes:
    tags = picture.tags
    options: dict[str, Any] = dict(picture.coding) if kind == picture.format else {}
    if kind in ("JPEG", "WEBP", "AVIF", "HEIF") and (coding.quality is not None or not options):
        full = {"JPEG": {"subsampling": "4:4:4"}, "AVIF": {"subsampling": "4:4:4"}, "HEIF": {"chroma": 444}}.get(kind, {})
        options = {name: options.get(name, value) for name, value in full.items()}
        options["quality"] = QUALITY if coding.quality is None else coding.quality
    if kind == "WEBP":
        lossless = coding.lossless or (coding.quality is None and bool(options.get("lossless")))
        options |= {"lossless": lossless, "exact": lossless}
        options.setdefault("quality", QUALITY)
    options |= {"compress_level": PNG_LEVEL} if kind == "PNG" else {}
    options |= {"icc_profile": tags.icc} if tags.icc else {}
    options |= {"dpi": tags.dpi} if tags.dpi and kind in ("PNG", "JPEG", "TIFF", "BMP") else {}
    if kind == "TIFF":
        options["exif"] = Image.Exif()
        options["exif"].load(tags.exif or b"")
        options["exif"].update({XMP_TAG: tags.xmp} if tags.xmp else {})
    elif kind != "BMP":
        options |= {"exif": tags.exif} if tags.exif else {}
        options |= _xmp(tags.xmp, kind) if tags.xmp else {}
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    buffer = io.BytesIO()
    try:
        _image_of(pixels, spend).save(buffer, kind, **options)
    except (OSError, ValueError, KeyError) as error:
        raise ImageError(f"cannot be written as {kind} ({error})") from None
    return buffer.getvalue()


def _image_of(pixels: np.ndarray, spend: bool) -> Image.Image:
    """Return pixels as Pillow has them. With `spend` they are handed over from the bottom up, and what was is given back."""
    if not (spend and pixels.flags.owndata and pixels.flags.c_contiguous):
        return Image.fromarray(pixels)
    image: Image.Image | None = None
    for top in reversed(range(0, len(pixels), BAND)):
        band = Image.fromarray(pixels[top:])
        image = image or Image.new(band.mode, pixels.shape[1::-1], None)  # type: ignore[arg-type] - None: as it comes
        image.paste(band, (0, top))
        pixels.resize((top, *pixels.shape[1:]), refcheck=False)
    assert image is not None
    return image


def _xmp(xmp: bytes, kind: str) -> dict[str, Any]:
    if kind != "PNG":
        return {"xmp": xmp}
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", xmp.decode(errors="replace"))
    return {"pnginfo": texts}


def _deep_png(picture: Picture) -> bytes:
    """Return a 16-bit PNG, which Pillow cannot write in colour, nor OpenCV with transparency in grey."""
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    height, width, channels = (*pixels.shape, 1)[:3]
    rows = np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(height, -1)
    lines = np.ones((height, rows.shape[1] + 1), np.uint8)  # 1: what follows is less the pixel to the left
    lines[:, 1:] = rows
    lines[:, 1 + 2 * channels :] -= rows[:, : -2 * channels]
    layout = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    tags = picture.tags
    chunks = [(b"IHDR", layout)]
    chunks += [(b"iCCP", b"profile\0\0" + zlib.compress(tags.icc))] if tags.icc else []
    chunks += [(b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in tags.dpi), 1))] if tags.dpi else []
    chunks += [(b"eXIf", tags.exif.removeprefix(b"Exif\0\0"))] if tags.exif else []
    chunks += [(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + tags.xmp)] if tags.xmp else []
    chunks += [(b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b"")]
    framed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def _deep_tiff(picture: Picture) -> bytes:
    """Return a TIFF of 16 bits or floating-point numbers; Pillow writes its directory, but not such pixels in colour."""
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    height, width, channels = (*pixels.shape, 1)[:3]
    data = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()
    packed = picture.format == "TIFF" and picture.coding.get("compression", "raw") != "raw"
    data = zlib.compress(data) if packed else data
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    directory.update(_described(picture.tags))
    directory.update(
        {
            256: width,
            257: height,
            258: (8 * pixels.itemsize,) * channels,
            259: 8 if packed else 1,  # deflate, or as they are
            262: 1 if channels < 3 else 2,  # grey, or RGB
            273: 0,  # where the pixels begin, from the end of this directory
            277: channels,
            278: height,
            279: len(data),
            339: (3 if pixels.dtype.kind == "f" else 1,) * channels,  # floating-point, or whole numbers
        }
    )
    if picture.alpha is not None:
        directory[338] = 2  # transparency, colours not multiplied by it
    buffer = io.BytesIO()
    directory.save(buffer)
    return buffer.getvalue() + data


def _described(tags: Tags) -> dict[int, Any]:
    """Return the tags as entries of a TIFF's directory."""
    exif = Image.Exif()
    exif.load(tags.exif or b"")
    entries: dict[int, Any] = {tag: exif[tag] for tag in TIFF_TEXTS if tag in exif}  # others are of another layout
    entries |= {tag: inner for tag in (EXIF_IFD, GPS_IFD) if (inner := exif.get_ifd(tag))}
    entries |= {XMP_TAG: tags.xmp} if tags.xmp else {}
    entries |= {282: tags.dpi[0], 283: tags.dpi[1], 296: 2} if tags.dpi else {}  # pixels an inch
    return entries | ({ICC_TAG: tags.icc} if tags.icc else {})
