"""TIFFs that Pillow cannot read or write: more than 8 bits, floating-point numbers, rare layouts."""

from __future__ import annotations

import io
import math
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, TiffImagePlugin

from irflow_cli.errors import ImageError

if TYPE_CHECKING:
    import tifffile
from typing import Any

from irflow_cli.images.deep import check_depth, decode_deep
from irflow_cli.images.metadata import EXIF_IFD, GPS_IFD, ICC_TAG, ORIENTATION, TIFF_TEXTS, XMP_TAG, Tags, dpi_of, exif_of
from irflow_cli.images.picture import Picture, split_alpha, too_large, top_of, upright

DEFLATE = (8, 32946)  # of a TIFF's compressions
BIG_TIFF = (b"II+\0", b"MM\0+")  # how files of 64-bit places begin


def decode_unknown_tiff(data: bytes, name: str, max_pixels: int) -> Picture:
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[:4] in BIG_TIFF else 8])
    file = io.BytesIO(data)
    file.seek(directory.next)
    directory.load(file)
    if directory.next:
        raise ImageError(f"{name}: holds several pages; irflow works on still pictures, take them apart first")
    if directory[256] * directory[257] > max_pixels:
        raise too_large(name, max_pixels)
    exif = Image.Exif()
    if data[:4] in BIG_TIFF:  # whose tables Pillow's EXIF does not follow
        exif.update({tag: directory[tag] for tag in TIFF_TEXTS if tag in directory})
    else:
        exif.load_from_fp(io.BytesIO(data))
    xmp = directory.get(XMP_TAG)
    turn = directory.get(ORIENTATION, 1)
    dpi = dpi_of((directory.get(282), directory.get(283)) if directory.get(296, 2) == 2 else None, turn)
    tags = Tags(directory.get(ICC_TAG) or None, exif_of(exif, "TIFF"), bytes(xmp) if xmp else None, dpi)
    packed = {"compression": "raw" if directory.get(259, 1) == 1 else "tiff_adobe_deflate"}
    pixels, notes = pixels_of_tiff(directory, data, name)
    return split_alpha(pixels, "TIFF", tags, packed, notes)


def pixels_of_tiff(
    directory: TiffImagePlugin.ImageFileDirectory_v2, data: bytes, name: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the pixels of a TIFF of more than 8 bits, upright, and what to tell of them. Raises ImageError."""
    photometric, channels, extra = directory.get(262, 1), directory.get(277, 1), directory.get(338, ())
    floating, bits, notes = 3 in directory.get(339, ()), directory.get(258, (1,))[0], ()
    refused = {
        "CMYK of more than 8 bits is": photometric == 5,
        f"{channels} channels of more than 8 bits are": channels > 4,
        "colours of more than 8 bits that are multiplied by their transparency are": 1 in extra,
    }
    for what, holds in refused.items():
        if holds:
            raise ImageError(f"{name}: {what} not read; convert it to RGB, such as a 16-bit PNG")
    if channels == 2 or (channels > 1 and directory.get(284, 1) == 2) or (floating and bits != 32):
        pixels = _by_tifffile(data, name)  # layouts that OpenCV takes for others
    else:
        pixels = decode_deep(data, name)
    if floating and bits != 32:
        notes = (f"has floating-point numbers of {bits} bits; they are kept with 32",)
    if channels == 2 and 2 not in extra:
        pixels, notes = pixels[..., 0], (*notes, "has a second channel whose meaning it does not tell; it is left out")
    return top_of(pixels.dtype) - pixels if photometric == 0 else pixels, notes  # white is zero


def _by_tifffile(data: bytes, name: str) -> np.ndarray:
    """Return the pixels of a TIFF, upright, as `decode_deep` does, of uint16 or float32. Raises ImageError."""
    try:
        import tifffile
    except ImportError:
        raise ImageError(f"{name}: this kind of TIFF needs tifffile; run `pip install tifffile`, or convert it") from None
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            _check_strips(page, data, name)
            pixels, turn = np.asarray(page.asarray()), page.tags.valueof(ORIENTATION, 1)
            pixels = np.moveaxis(pixels, 0, -1) if page.axes[0] == "S" else pixels
    except (ValueError, KeyError) as error:
        if "imagecodecs" not in str(error):
            raise
        raise ImageError(f"{name}: its compression needs imagecodecs; run `pip install imagecodecs`, or convert it") from None
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32)
    return upright(check_depth(pixels, name), turn)


def _check_strips(page: tifffile.TiffPage, data: bytes, name: str) -> None:
    """Raise ImageError where a strip or tile that is packed by deflate holds more than its pixels need."""
    most = math.prod(page.chunks) * page.dtype.itemsize if page.dtype is not None else 0
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if page.compression in DEFLATE and len(zlib.decompressobj().decompress(data[start : start + count], most + 1)) > most:
            raise ImageError(f"{name}: damaged: its pixels are more than its size says")


def encode_deep_tiff(picture: Picture) -> bytes:
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
