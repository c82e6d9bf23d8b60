"""Pictures in files: found, decoded strictly, written whole or not at all. Content decides the format, not the name."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import io
import math
import os
import re
import stat
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from irflow_cli.errors import FULL, DiskFull, ImageError
from irflow_cli.tasks import MAX_PIXELS

if TYPE_CHECKING:
    import tifffile

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
READABLE = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF")
SETS = ("MPO", "HEIF")  # files of one picture and its helpers: gain map, depth, preview
PART = ".part"  # how the names of files end that are not whole yet
PngImagePlugin.MAX_TEXT_CHUNK = 2**24  # bytes of a profile, an XMP or a text; long histories of edits need more than 2**20
BAND = 256  # rows that are taken over from Pillow at a time
ORIENTATION, EXIF_IFD, GPS_IFD, XMP_TAG, ICC_TAG = 0x0112, 0x8769, 0x8825, 700, 34675
DEFLATE = (8, 32946)  # of a TIFF's compressions
BIG_TIFF = (b"II+\0", b"MM\0+")  # how files of 64-bit places begin
TIFF_TEXTS = (270, 271, 272, 305, 306, 315, 33432)  # description, make, model, software, date, artist, copyright


@dataclass(frozen=True)
class Tags:
    """What a file says beside its pixels: as bytes colour profile, EXIF (with its prefix, upright) and XMP; dpi, the pixels an
    inch, across and down, at which it is to be printed."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    pixels: (H, W) grey or (H, W, 3) RGB, uint8, uint16 or float32 (nominally 0 to 1); alpha: (H, W) of the same type or
    None; format: Pillow's name of the file's format; tags: what came with the pixels; coding: how the file was encoded,
    as options of Pillow's `save`; notes: what the reader should tell the user.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    format: str
    tags: Tags = field(default_factory=Tags)
    coding: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def top(self) -> float:
        """The value of white: 255, 65535, or 1 for float pixels."""
        return top_of(self.pixels.dtype)

    def rgb8(self) -> np.ndarray:
        """Return (H, W, 3) uint8, whatever the picture holds."""
        pixels = self.pixels if self.pixels.ndim == 3 else np.repeat(self.pixels[..., None], 3, axis=2)
        return as_depth(pixels, np.dtype(np.uint8))

    def unit(self) -> np.ndarray:
        """Return (H, W, 1 or 3) float32 in [0, 1]."""
        pixels = self.pixels if self.pixels.ndim == 3 else self.pixels[..., None]
        return pixels.astype(np.float32) / np.float32(self.top)

    def seed(self, given: int) -> int:
        """Return the seed of draws that hang on the picture's content and the seed given, and not on its name or place."""
        content = hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).digest()
        return (int.from_bytes(content[:7], "big") + given * 0x9E3779B1) % 2**63

    def with_pixels(self, pixels: np.ndarray) -> Picture:
        """Return the same picture, alpha, tags and coding with other pixels of the same shape and type."""
        return replace(self, pixels=pixels)


def top_of(dtype: np.dtype) -> float:
    """Return the value of white in pixels of a type."""
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def as_depth(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return pixels rounded to another type; float values beyond 0 to 1 are clipped. Unchanged when it is theirs."""
    if pixels.dtype == dtype:
        return pixels
    values = pixels.astype(np.float64).clip(0, top_of(pixels.dtype)) * (top_of(dtype) / top_of(pixels.dtype))
    return (values if dtype.kind == "f" else np.round(values)).astype(dtype)


def find_pictures(folder: Path, *, deep: bool = True) -> list[Path]:
    """Return the files in `folder`, and with `deep` below it, sorted, whose names end like pictures.

    Folders and files that start with a dot are left out; links to folders are not followed, so there are no loops. A folder
    that may not be looked into is returned itself, so that it fails as a picture does.
    """
    found: list[Path] = []
    closed: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        pictures = (Path(root, name) for name in files if not name.startswith("."))
        found += [path for path in pictures if path.suffix.lower() in SUFFIXES and path.is_file()]
    return sorted([*found, *(Path(error.filename) for error in closed)])


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Return the picture in `path`. Raises ImageError, in one line, for everything that is not a whole still picture."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from None
    return decode_picture(data, str(path), max_pixels)


def decode_picture(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Picture:
    """Return the picture that `data` holds; `name` is what errors call it. Raises ImageError as `read_picture` does."""
    if not data:
        raise ImageError(f"{name}: the file is empty")
    try:
        with warnings.catch_warnings(), _pillow_limit(max_pixels):
            warnings.simplefilter("ignore")  # of bombs, which we look for ourselves, and of damage beside the pixels
            return _opened(data, name, max_pixels)
    except Image.DecompressionBombError:
        raise _too_large(name, max_pixels) from None
    except ImageError as error:
        raise error if str(error).startswith(name) else ImageError(f"{name}: {error}") from None
    except MemoryError:
        raise ImageError(f"{name}: not enough memory to read it") from None
    except Exception as error:  # decoders raise errors of all kinds
        raise ImageError(f"{name}: damaged or incomplete ({' '.join(str(error).split())})") from None


def _opened(data: bytes, name: str, max_pixels: int) -> Picture:
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)] if data[4:8] == b"ftyp" else b""
    heif = b"avif" not in brands and any(brand in brands for brand in HEIF_BRANDS)
    if heif:
        register_heif()
    try:
        image = Image.open(io.BytesIO(data), formats=["HEIF"] if heif else READABLE)
    except UnidentifiedImageError:
        if data[:4] in (b"II*\0", b"MM\0*", *BIG_TIFF):  # Pillow does not know colour TIFFs of floating-point numbers
            return _unknown_tiff(data, name, max_pixels)
        raise ImageError(f"{name}: not a picture that irflow reads ({', '.join(READABLE)}, HEIC)") from None
    with image:
        if image.width * image.height > max_pixels:
            raise Image.DecompressionBombError
        return _decode(image, data, name)


def _too_large(name: str, max_pixels: int) -> ImageError:
    return ImageError(f"{name}: larger than {max_pixels} pixels; --max-pixels raises the limit")


def _unknown_tiff(data: bytes, name: str, max_pixels: int) -> Picture:
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[:4] in BIG_TIFF else 8])
    file = io.BytesIO(data)
    file.seek(directory.next)
    directory.load(file)
    if directory.next:
        raise ImageError(f"{name}: holds several pages; irflow works on still pictures, take them apart first")
    if directory[256] * directory[257] > max_pixels:
        raise _too_large(name, max_pixels)
    exif = Image.Exif()
    if data[:4] in BIG_TIFF:  # whose tables Pillow's EXIF does not follow
        exif.update({tag: directory[tag] for tag in TIFF_TEXTS if tag in directory})
    else:
        exif.load_from_fp(io.BytesIO(data))
    xmp = directory.get(XMP_TAG)
    turn = directory.get(ORIENTATION, 1)
    dpi = _dpi_of((directory.get(282), directory.get(283)) if directory.get(296, 2) == 2 else None, turn)
    tags = Tags(directory.get(ICC_TAG) or None, _exif_of(exif, "TIFF"), bytes(xmp) if xmp else None, dpi)
    packed = {"compression": "raw" if directory.get(259, 1) == 1 else "tiff_adobe_deflate"}
    pixels, notes = _pixels_of_tiff(directory, data, name)
    return _split(pixels, "TIFF", tags, packed, notes)


def _pixels_of_tiff(
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
        pixels = _opencv(data, name)
    if floating and bits != 32:
        notes = (f"has floating-point numbers of {bits} bits; they are kept with 32",)
    if channels == 2 and 2 not in extra:
        pixels, notes = pixels[..., 0], (*notes, "has a second channel whose meaning it does not tell; it is left out")
    return top_of(pixels.dtype) - pixels if photometric == 0 else pixels, notes  # white is zero


def _by_tifffile(data: bytes, name: str) -> np.ndarray:
    """Return the pixels of a TIFF, upright, as `_opencv` does, of uint16 or float32. Raises ImageError."""
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
    return _upright(_sound(pixels, name), turn)


def _check_strips(page: tifffile.TiffPage, data: bytes, name: str) -> None:
    """Raise ImageError where a strip or tile that is packed by deflate holds more than its pixels need."""
    most = math.prod(page.chunks) * page.dtype.itemsize if page.dtype is not None else 0
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if page.compression in DEFLATE and len(zlib.decompressobj().decompress(data[start : start + count], most + 1)) > most:
            raise ImageError(f"{name}: damaged: its pixels are more than its size says")


def _sound(pixels: np.ndarray, name: str) -> np.ndarray:
    """Return pixels of more than 8 bits as they are. Raises ImageError for other depths, and for values that are no numbers."""
    if pixels.dtype not in (np.uint16, np.float32):
        raise ImageError(f"{name}: of a depth that irflow does not read; convert it to a 16-bit PNG")
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        raise ImageError(f"{name}: holds values that are no numbers")
    return pixels


@contextlib.contextmanager
def _pillow_limit(pixels: int) -> Iterator[None]:
    """Let Pillow's own check, which is global, not stop what ours allows."""
    before = Image.MAX_IMAGE_PIXELS
    if before is not None and pixels > 2 * before:
        Image.MAX_IMAGE_PIXELS = pixels
    yield


def register_heif() -> None:
    """Let Pillow read and write HEIC. Raises ImageError that names what is missing."""
    try:
        import pillow_heif
    except ImportError:
        raise ImageError("HEIC needs pillow-heif; run `pip install pillow-heif`") from None
    pillow_heif.register_heif_opener()


def _decode(image: Image.Image, data: bytes, name: str) -> Picture:
    kind, frames, notes = image.format or "PNG", getattr(image, "n_frames", 1), []
    if frames > 1 and kind not in SETS:
        raise ImageError(f"{name}: holds {frames} frames; irflow works on still pictures, take them apart first")
    if frames > 1:
        notes.append(f"holds {frames} pictures; the main one is taken")
    kind = "JPEG" if kind == "MPO" else kind
    pixels = _jpeg(data, image)
    if pixels is None:
        image.load()  # strict: a truncated file raises here
    exif, turn = image.getexif(), 1
    if kind != "HEIF":  # whose decoder has turned it already
        turn = exif.get(ORIENTATION, 1)
    if kind == "HEIF" and int(image.info.get("bit_depth") or 8) > 8:
        notes.append(f"has {image.info['bit_depth']} bits a channel; 8 of them are read")
    if kind == "AVIF" and (place := data.find(b"av1C")) >= 0 and data[place + 6] & 0x40:
        notes.append("has more than 8 bits a channel; 8 of them are read")
    if kind == "JPEG" and getattr(image, "layers", 0) == 3 and JpegImagePlugin.get_sampling(image) < 0:
        notes.append("has a subsampling of colour that irflow does not write; a JPEG of it has 4:2:0")
    if image.mode == "RGBX":
        notes.append("has a fourth channel whose meaning it does not tell; it is left out")
    profile, dpi = image.info.get("icc_profile") or None, _dpi_of(image.info.get("dpi"), turn)
    tags = Tags(profile, _exif_of(exif, kind), _xmp_of(image), dpi)
    coding = _coding_of(image, kind, data)
    if pixels is not None:
        return _split(_upright(pixels, turn), kind, tags, coding, tuple(notes))
    if _is_deep(image, kind, data):
        if kind == "TIFF":
            pixels, told = _pixels_of_tiff(image.tag_v2, data, name)  # type: ignore[attr-defined]
            notes += told
        else:
            pixels = _opencv(data, name)
        if kind == "PNG" and data[25] == 4:  # grey with alpha, which OpenCV gives as colour
            pixels = pixels[..., [0, 3]]
        clear = image.info.get("transparency")
        if kind == "PNG" and pixels.ndim == 2 and isinstance(clear, int):  # a grey that stands for nothing
            pixels = np.dstack([pixels, np.where(pixels == clear, 0, top_of(pixels.dtype)).astype(pixels.dtype)])
        return _split(_upright(pixels, turn), kind, tags, coding, tuple(notes))
    if image.mode in ("I", "F"):
        raise ImageError(f"{name}: {image.mode} pixels are not supported; convert it to 8 or 16 bits")
    if image.mode == "CMYK":
        image, note = _from_cmyk(image, tags.icc)
        notes.append(note)
        tags = replace(tags, icc=None)
    if kind == "PNG" and data[24] in (2, 4) and isinstance(clear := image.info.get("transparency"), int) and image.mode == "L":
        image.info["transparency"] = clear * 255 // (2 ** data[24] - 1)  # as Pillow has scaled the greys
    has_alpha = image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA")
    mode = ("LA" if has_alpha else "L") if grey else ("RGBA" if has_alpha else "RGB")
    return _split(_upright(_array_of(image, mode), turn), kind, tags, coding, tuple(notes))


def _jpeg(data: bytes, image: Image.Image) -> np.ndarray | None:
    """Return the pixels of a JPEG, (H, W) or (H, W, 3), or None for other files and where Pillow has to say what is wrong.

    OpenCV decodes to the same numbers, and needs 3 bytes a pixel where Pillow needs 4, and 3 more to take them over.
    """
    colour = {"L": cv2.IMREAD_GRAYSCALE, "RGB": cv2.IMREAD_COLOR_RGB}.get(image.mode)
    if image.format not in ("JPEG", "MPO") or colour is None:
        return None
    with contextlib.suppress(cv2.error), _silent_opencv():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), colour | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is not None and pixels.shape[1::-1] == image.size:
            return pixels
    return None


def _array_of(image: Image.Image, mode: str) -> np.ndarray:
    """Return the pixels of an image in `mode`, (H, W) or (H, W, channels) uint8, with no other copy of the whole on the way."""
    shape = (image.height, image.width, *((len(mode),) if len(mode) > 1 else ()))
    pixels = np.empty(shape, np.uint8)
    for top in range(0, image.height, BAND):
        bottom = min(top + BAND, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)).convert(mode))
    return pixels


def _opencv(data: bytes, name: str) -> np.ndarray:
    """Return pixels of more than 8 bits, (H, W) or (H, W, 3 or 4) in the order RGBA."""
    with contextlib.suppress(cv2.error), _silent_opencv():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is not None and pixels.dtype in (np.uint16, np.float32):
            pixels = _sound(pixels, name)
            return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    raise ImageError(f"{name}: damaged, or of a depth that irflow does not read; convert it to a 16-bit PNG")


@contextlib.contextmanager
def _silent_opencv() -> Iterator[None]:
    """Keep OpenCV from printing what the caller says in one line."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _is_deep(image: Image.Image, kind: str, data: bytes) -> bool:
    """Return whether the file holds more than 8 bits a channel, which Pillow cuts to 8 in colour."""
    if kind == "PNG":
        return data[24] == 16
    bits = image.tag_v2.get(258, (8,)) if kind == "TIFF" else (8,)  # type: ignore[attr-defined]
    return image.mode.startswith("I;16") or max(bits) > 8


def _exif_of(exif: Image.Exif, kind: str) -> bytes | None:
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


def _xmp_of(image: Image.Image) -> bytes | None:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if xmp is None and image.format == "TIFF":
        xmp = image.tag_v2.get(XMP_TAG)  # type: ignore[attr-defined]
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp) if xmp else None
    return xmp and re.sub(rb"""(tiff:Orientation(?:=["']|>))[2-8]""", rb"\g<1>1", xmp)


def _dpi_of(dpi: object, turn: int) -> tuple[float, float] | None:
    """Return the pixels an inch, across and down, of a picture whose EXIF orientation `turn` was undone; to a tenth, for some
    formats count by the metre."""
    across, down = (round(float(value or 0), 1) for value in dpi) if isinstance(dpi, tuple) else (0.0, 0.0)
    if not (0 < across < math.inf and 0 < down < math.inf):
        return None
    return (down, across) if turn in (5, 6, 7, 8) else (across, down)


def _coding_of(image: Image.Image, kind: str, data: bytes) -> dict[str, object]:
    """Return the options with which Pillow writes a file of this kind as the source was written."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(image)
        known = {"subsampling": sampling} if sampling >= 0 else {}
        return {"qtables": image.quantization, "progressive": bool(image.info.get("progressive")), **known}
    if kind == "WEBP":
        return {"lossless": _chunk_of(data, (b"VP8L", b"VP8 ")) == b"VP8L"}
    if kind == "TIFF":
        used = image.info.get("compression", "raw")
        return {"compression": used if used in ("raw", "tiff_lzw", "packbits") else "tiff_adobe_deflate"}
    return {}


def _chunk_of(data: bytes, names: tuple[bytes, ...]) -> bytes | None:
    """Return the first of the named chunks that a RIFF file holds."""
    place = 12
    while place + 8 <= len(data):
        if data[place : place + 4] in names:
            return data[place : place + 4]
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    return None


def _from_cmyk(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted, "CMYK was converted to sRGB through its profile"
    return image.convert("RGB"), "CMYK without a usable profile was converted to RGB by rule of thumb"


def _split(
    pixels: np.ndarray, kind: str, tags: Tags | None = None, coding: dict | None = None, notes: tuple[str, ...] = ()
) -> Picture:
    """Return a picture from (H, W), (H, W, 2 grey + alpha), (H, W, 3) or (H, W, 4) pixels."""
    alpha = None
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        pixels, alpha = pixels[..., :-1], np.ascontiguousarray(pixels[..., -1])
        pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return Picture(np.ascontiguousarray(pixels), alpha, kind, tags or Tags(), coding or {}, notes)


def _upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Return the pixels with EXIF orientation `turn` (1 to 8) undone."""
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path`: whole, or not at all. Raises ImageError when it exists or cannot be written, DiskFull."""
    if path.exists() and not overwrite:
        raise ImageError(f"{path} exists; use --overwrite or another output")
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=_begun(path), suffix=PART, dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)  # noqa: PTH105 - one call, atomic on every system
        if os.name == "posix":  # the name, too, is on the disk
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        if isinstance(error, OSError):
            if error.errno in FULL:
                raise DiskFull(f"cannot write {path}: {error.strerror}; make room and run again") from None
            raise ImageError(f"cannot write {path}: {error.strerror or error}") from None
        raise


def clear_begun(path: Path) -> None:
    """Remove what a run that was killed had begun to write to `path`."""
    for begun in path.parent.glob(f"{glob.escape(_begun(path))}*{PART}"):
        with contextlib.suppress(OSError):
            begun.unlink()


def _begun(path: Path) -> str:
    """Return how the names of files begin that are to become `path` when they are whole, and no other."""
    return f".{path.name[:40]}.{zlib.crc32(os.fsencode(path.name)):08x}."


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
