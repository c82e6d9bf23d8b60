"""TIFFs that Pillow cannot read or write: more than 8 bits, floating-point numbers, rare layouts."""

from __future__ import annotations

import contextlib
import io
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, TiffImagePlugin

from irflow_cli import extras
from irflow_cli.errors import ImageError

if TYPE_CHECKING:
    import tifffile
from typing import Any

from irflow_cli.images.deep import check_depth, decode_deep
from irflow_cli.images.layout import Layout
from irflow_cli.images.metadata import (
    EXIF_IFD,
    GPS_IFD,
    ICC_TAG,
    ORIENTATION,
    TIFF_TEXTS,
    XMP_TAG,
    Tags,
    as_undefined,
    dpi_of,
    exif_of,
)
from irflow_cli.images.picture import Picture, split_alpha, too_large, upright
from irflow_cli.images.span import Given, Span, span_of
from irflow_cli.images.texts import IPTC_TAG, caption_in
from irflow_cli.images.unkept import unkept_texts

DEFLATE = (8, 32946)  # of a TIFF's compressions
BYTES = (1, 2, 3, 4, 5, *DEFLATE, 32773, 34925, 34926, 50000)  # of them, those that know nothing of pictures
TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # bytes with the lowest bit first
TILE = 2**22  # pixels that a tile may have however small its picture is
BIG_TIFF = (b"II+\0", b"MM\0+")  # how files of 64-bit places begin


def decode_unknown_tiff(data: bytes, name: str, max_pixels: int, span: Given = None) -> Picture:
    """Return the picture in a TIFF that Pillow does not know. Raises ImageError."""
    directory = directory_of(data, name)
    if directory[256] * directory[257] > max_pixels:
        raise too_large(name, max_pixels)
    check_tiles(directory, name)
    exif, _, damaged = exif_of(lambda: _exif_in(directory, data), "TIFF")
    xmp = directory.get(XMP_TAG)
    turn = directory.get(ORIENTATION, 1)
    dpi = dpi_of((directory.get(282), directory.get(283)) if directory.get(296, 2) == 2 else None, turn)
    icc, caption = directory.get(ICC_TAG) or None, caption_in(directory)
    tags = Tags(icc, exif, bytes(xmp) if xmp else None, dpi, caption)
    packed = {"compression": "raw" if directory.get(259, 1) == 1 else "tiff_adobe_deflate"}
    pixels, spanned, notes = pixels_of_tiff(directory, data, name, span)
    notes = (*damaged, *unkept_texts(directory), *notes)
    return replace(split_alpha(pixels, "TIFF", tags, packed, notes), span=spanned)


def _exif_in(directory: Mapping[int, Any], data: bytes) -> Image.Exif:
    exif = Image.Exif()
    if data[:4] in BIG_TIFF:  # whose tables Pillow's EXIF does not follow
        exif.update({tag: directory[tag] for tag in TIFF_TEXTS if tag in directory})
    else:
        exif.load_from_fp(io.BytesIO(data))
    return exif


def check_tiles(directory: Mapping[int, Any], name: str) -> None:
    """Raise ImageError for tiles that are much larger than the picture: readers unpack each as a whole."""
    width, height, across, down = (directory.get(tag, 0) for tag in (256, 257, 322, 323))
    if across * down > max(4 * width * height, TILE):
        raise ImageError(f"{name}: damaged: its tiles of {across} x {down} pixels are larger than itself")


def directory_of(data: bytes, name: str) -> Mapping[int, Any]:
    """Return the tags of a TIFF's first page."""
    if data[:4] == BIG_TIFF[1]:  # big-endian ones Pillow does not know
        with _opened(data, name) as file:
            return {tag.code: tag.value for tag in file.pages.first.tags}
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[:4] in BIG_TIFF else 8])
    file = io.BytesIO(data)
    file.seek(directory.next)
    directory.load(file)
    return directory


def pixels_of_tiff(
    directory: Mapping[int, Any], data: bytes, name: str, given: Given = None
) -> tuple[np.ndarray, Span | None, tuple[str, ...]]:
    """Return the pixels of a TIFF that Pillow does not read as it is meant, upright, those of floating-point numbers with white
    at 1, how these counted in the file, and what to tell. given: black and white. Raises ImageError, which says what it holds,
    for what is not read."""
    layout = Layout.of(directory)
    layout.check(name)
    pixels, notes = layout.kept(_numbers(layout, directory, data, name))
    colours = 3 if layout.photometric == 2 else 1
    span, counted = span_of(pixels, colours, directory, given, name)
    pixels, told = layout.meant(pixels, span)
    if span is not None:
        span = replace(span, raw=pixels)
        pixels = span.unit()
    return pixels, span, (*notes, *told, *counted)


def _numbers(layout: Layout, directory: Mapping[int, Any], data: bytes, name: str) -> np.ndarray:
    """Return the numbers of a TIFF as they are, upright."""
    if layout.for_opencv:
        with contextlib.suppress(ImageError):  # OpenCV takes some rare tags for damage
            return _of_size(directory, decode_deep(data, name), name)
    return _of_size(directory, _by_tifffile(data, name, directory[256] * directory[257]), name)


def _of_size(directory: Mapping[int, Any], pixels: np.ndarray, name: str) -> np.ndarray:
    """Return pixels, upright. Raises ImageError unless they are as many as the directory says: readers may differ in which of
    two entries they follow."""
    if pixels.ndim not in (2, 3) or sorted(pixels.shape[:2]) != sorted((directory[256], directory[257])):
        raise ImageError(f"{name}: damaged: its pixels are not as many as its size says")
    return pixels


@contextlib.contextmanager
def _opened(data: bytes, name: str) -> Iterator[tifffile.TiffFile]:
    try:
        import tifffile
    except ImportError:
        raise ImageError(f"{name}: this kind of TIFF needs tifffile; {extras.hint('formats')}, or convert it") from None
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        yield file


def _by_tifffile(data: bytes, name: str, most: int) -> np.ndarray:
    """Return the numbers of a TIFF of up to `most` pixels, upright, (H, W) or (H, W, channels) of uint8, uint16 or float32.
    Raises ImageError."""
    packed = 1
    try:
        with _opened(data, name) as file:
            page = file.pages.first
            packed = page.compression
            if page.imagewidth * page.imagelength > most:
                raise ImageError(f"{name}: damaged: it tells its size twice")
            _check_strips(page, data, name)
            pixels, turn = np.asarray(page.asarray()), page.tags.valueof(ORIENTATION, 1)
            pixels = np.moveaxis(pixels, 0, -1) if page.axes[0] == "S" else pixels
    except (ValueError, KeyError) as error:
        if "imagecodecs" not in str(error):
            raise
        what = f"its compression {getattr(packed, 'name', packed)}" if packed != 1 else "its depth"
        raise ImageError(f"{name}: {what} needs imagecodecs; {extras.hint('formats')}, or convert it") from None
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what does not fit is no number, which is said
            pixels = pixels.astype(np.float32)
    return upright(check_depth(pixels.astype(pixels.dtype.newbyteorder("=")), name), turn)


def _check_strips(page: tifffile.TiffPage, data: bytes, name: str) -> None:
    """Raise ImageError where a strip or tile is cut off, or holds more than its pixels need: packed by deflate, or as a picture
    of its own, such as a JPEG 2000. The other ways to pack are unpacked into as much memory as is needed."""
    if any(start + count > len(data) for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)):
        raise ImageError(f"{name}: damaged or incomplete: its pixels lie beyond its end")
    most = math.prod(page.chunks) * page.dtype.itemsize if page.dtype is not None else 0
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        part = data[start : start + count].translate(TURNED if page.fillorder == 2 else None)
        if page.compression in DEFLATE and len(zlib.decompressobj().decompress(part, most + 1)) > most:
            raise ImageError(f"{name}: damaged: its pixels are more than its size says")
        if page.compression not in BYTES:
            _check_inner(part, math.prod(page.chunks), getattr(page.compression, "name", str(page.compression)), name)


def _check_inner(chunk: bytes, most: int, packed: str, name: str) -> None:
    try:
        with Image.open(io.BytesIO(chunk)) as inner:
            size = inner.width * inner.height
    except OSError:
        raise ImageError(f"{name}: its compression {packed} is not read; convert it to a TIFF with LZW or to a PNG") from None
    if size > most:
        raise ImageError(f"{name}: damaged: its pixels are more than its size says")


def encode_deep_tiff(picture: Picture) -> bytes:
    """Return a TIFF of 16 bits or floating-point numbers; Pillow writes its directory, but not such pixels in colour."""
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    pixels = pixels if picture.span is None else picture.span.back(pixels)
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
    return as_undefined(buffer.getvalue()) + data


def _described(tags: Tags) -> dict[int, Any]:
    """Return the tags as entries of a TIFF's directory."""
    exif = Image.Exif()
    exif.load(tags.exif or b"")
    entries: dict[int, Any] = {tag: exif[tag] for tag in TIFF_TEXTS if tag in exif}  # others are of another layout
    entries |= {tag: inner for tag in (EXIF_IFD, GPS_IFD) if (inner := exif.get_ifd(tag))}
    entries |= {XMP_TAG: tags.xmp} if tags.xmp else {}
    entries |= {IPTC_TAG: tags.caption} if tags.caption else {}
    entries |= {282: tags.dpi[0], 283: tags.dpi[1], 296: 2} if tags.dpi else {}  # pixels an inch
    return entries | ({ICC_TAG: tags.icc} if tags.icc else {})
