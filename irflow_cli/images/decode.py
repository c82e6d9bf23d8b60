"""Files into pictures, strictly. Content decides the format, not the name."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError

from irflow_cli import extras
from irflow_cli.errors import ImageError
from irflow_cli.images.chatter import caught, damage_of
from irflow_cli.images.claims import read_file
from irflow_cli.images.deep import decode_deep, silent_opencv
from irflow_cli.images.directories import ORDERS, note_of_pages
from irflow_cli.images.layout import USUAL, Layout
from irflow_cli.images.metadata import DAMAGED, SIZED_BY_EXIF, Tags, dpi_in, dpi_of, exif_of, xmp_of
from irflow_cli.images.parts import check_parts
from irflow_cli.images.picture import BAND, Picture, split_alpha, too_large, top_of, upright
from irflow_cli.images.scans import damage_told, unpadded
from irflow_cli.images.span import Given
from irflow_cli.images.strips import jpegs_of_tiff, unpack
from irflow_cli.images.texts import caption_of, colours_of, texts_of
from irflow_cli.images.tiff import check_tiles, decode_unknown_tiff, pixels_of_tiff
from irflow_cli.images.unkept import unkept, unkept_texts
from irflow_cli.tasks import MAX_PIXELS

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
READABLE = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF")
CHAINS = ("GIF",)  # which hold their frames one after another, to be counted by walking through all
JPEG = b"\xff\xd8\xff"  # how those begin
COUNTED = 2**16  # bytes of a file whose chain is walked through
BROKEN_EXIF = "Invalid Exif payload"  # what libavif says, which does not go on without it
SETS = ("MPO", "HEIF")  # files of one picture and its helpers: gain map, depth, preview
PngImagePlugin.MAX_TEXT_CHUNK = 2**24  # bytes of a profile, an XMP or a text; long histories of edits need more than 2**20


def read_picture(path: Path, max_pixels: int = MAX_PIXELS, span: Given = None) -> Picture:
    """Return the picture in `path`; span: black and white of floating-point pixels. Raises ImageError, in one line, for
    everything that is not a whole still picture."""
    return decode_picture(read_file(path, max_pixels), str(path), max_pixels, span)


def decode_picture(data: bytes, name: str, max_pixels: int = MAX_PIXELS, span: Given = None) -> Picture:
    """Return the picture that `data` holds; `name` is what errors call it. Raises ImageError as `read_picture` does."""
    if not data:
        raise ImageError(f"{name}: the file is empty")
    check_parts(data, name)
    try:
        _pass_pillow(max_pixels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs, which we look for ourselves, and of damage beside the pixels
            jpegs = [data] if data.startswith(JPEG) else jpegs_of_tiff(data, name, max_pixels) if data[:4] in ORDERS else []
            for jpeg in jpegs:
                _whole(name, damage_told(jpeg))  # before its reader walks through all of it
            with caught() as said:
                picture = _opened(data, name, max_pixels, span)
                again = (unpadded(jpeg) or (None if jpeg is data else jpeg) for jpeg in jpegs)  # a whole file was read above
                unpack([jpeg for jpeg in again if jpeg])  # for what it tells
            _whole(name, damage_of(said, jpegs))
            return replace(picture, notes=(*picture.notes, *(f"its reader says: {line}" for line in said[:3])))
    except Image.DecompressionBombError:
        raise too_large(name, max_pixels) from None
    except ImageError as error:
        raise error if str(error).startswith(name) else ImageError(f"{name}: {error}") from None
    except MemoryError:
        raise ImageError(f"{name}: not enough memory to read it") from None
    except Exception as error:  # decoders raise errors of all kinds
        raise ImageError(f"{name}: damaged or incomplete ({' '.join(str(error).split())})") from None


def _whole(name: str, damage: str | None) -> None:
    """Raise ImageError where damage was found."""
    if damage:
        raise ImageError(f"{name}: damaged or incomplete ({damage}); find a whole copy of it")


def _opened(data: bytes, name: str, max_pixels: int, span: Given) -> Picture:
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)] if data[4:8] == b"ftyp" else b""
    heif = b"avif" not in brands and any(brand in brands for brand in HEIF_BRANDS)
    if heif:
        register_heif()
    notes = note_of_pages(data, name) if data[:4] in ORDERS else ()
    try:
        image = Image.open(io.BytesIO(data), formats=["HEIF"] if heif else READABLE)
    except UnidentifiedImageError:
        if data[:4] in ORDERS:  # Pillow does not know colour TIFFs of floating-point numbers
            picture = decode_unknown_tiff(data, name, max_pixels, span)
            return replace(picture, notes=(*notes, *picture.notes))
        raise ImageError(f"{name}: not a picture that irflow reads ({', '.join(READABLE)}, HEIC)") from None
    except ValueError as error:
        before, pixels, after = data.partition(b"mdat")
        if BROKEN_EXIF not in str(error) or b"Exif" not in before:
            raise
        picture = _opened(before.replace(b"Exif", b"none") + pixels + after, name, max_pixels, span)  # under another name
        return replace(picture, notes=(*picture.notes, DAMAGED))
    with image:
        if image.width * image.height > max_pixels:
            raise Image.DecompressionBombError
        picture = _decode(image, data, name, span)
        return replace(picture, notes=(*notes, *picture.notes))


def _pass_pillow(pixels: int) -> None:
    """Let Pillow's own check, which is global, not stop what ours allows, now and later."""
    before = Image.MAX_IMAGE_PIXELS
    if before is not None and pixels > 2 * before:
        Image.MAX_IMAGE_PIXELS = pixels


def register_heif() -> None:
    """Let Pillow read and write HEIC. Raises ImageError that names what is missing."""
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(f"HEIC needs pillow-heif; {extras.hint('formats')}") from None
    pillow_heif.register_heif_opener()


def _decode(image: Image.Image, data: bytes, name: str, span: Given) -> Picture:
    kind, notes = image.format or "PNG", []
    frames = 1 if kind == "TIFF" else _frames_of(image, len(data))
    if kind == "TIFF":
        check_tiles(image.tag_v2, name)  # type: ignore[attr-defined]
    elif frames != 1 and kind not in SETS:
        raise ImageError(f"{name}: holds {frames} frames; irflow works on still pictures, take them apart first")
    elif frames != 1:
        notes.append(f"holds {frames} pictures; the main one is taken")
    kind = "JPEG" if kind == "MPO" else kind
    pixels = _jpeg(data, image)
    rare = kind == "TIFF" and _is_rare(image)
    if pixels is None and not rare:
        image.load()  # strict: a truncated file raises here
    told = isinstance(raw := image.info.get("exif"), bytes) and len(raw.removeprefix(b"Exif\0\0")) > 0
    exif, turn, damaged = exif_of(image.getexif, kind, told=told)
    notes += damaged
    if kind == "HEIF" or rare:  # whose decoders have turned it already
        turn = 1
    if kind == "HEIF" and int(image.info.get("bit_depth") or 8) > 8:
        notes.append(f"has {image.info['bit_depth']} bits a channel; 8 of them are read")
    if kind == "AVIF" and (place := data.find(b"av1C")) >= 0 and data[place + 6] & 0x40:
        notes.append("has more than 8 bits a channel; 8 of them are read")
    if kind == "JPEG" and getattr(image, "layers", 0) == 3 and JpegImagePlugin.get_sampling(image) < 0:
        notes.append("has a subsampling of colour that irflow does not write; a JPEG of it has 4:2:0")
    if image.mode == "RGBX":
        notes.append("has a fourth channel whose meaning it does not tell; it is left out")
    profile, dpi = image.info.get("icc_profile") or None, dpi_in(exif) if kind in SIZED_BY_EXIF else image.info.get("dpi")
    colours = colours_of(data, profile=profile is not None) if kind == "PNG" else ()
    beside = Tags(caption=caption_of(image, kind), texts=texts_of(image, kind), colours=colours)
    tags = replace(beside, icc=profile, exif=exif, xmp=xmp_of(image), dpi=dpi_of(dpi, turn))
    notes += (*unkept(kind, image.info, data, tags.xmp), *unkept_texts(getattr(image, "tag_v2", {})))
    coding = _coding_of(image, kind, data)
    if pixels is not None:
        return split_alpha(upright(pixels, turn), kind, tags, coding, tuple(notes))
    if rare:
        pixels, spanned, said = pixels_of_tiff(image.tag_v2, data, name, span)  # type: ignore[attr-defined]
        return replace(split_alpha(pixels, kind, tags, coding, (*notes, *said)), span=spanned)
    if span is not None:
        notes.append("holds whole numbers, whose white is known; `range` is left out")
    if _is_deep(image, kind, data):
        pixels = decode_deep(data, name)
        if kind == "PNG" and data[25] == 4:  # grey with alpha, which OpenCV gives as colour
            pixels = pixels[..., [0, 3]]
        clear = image.info.get("transparency")
        if kind == "PNG" and pixels.ndim == 2 and isinstance(clear, int):  # a grey that stands for nothing
            pixels = np.dstack([pixels, np.where(pixels == clear, 0, top_of(pixels.dtype)).astype(pixels.dtype)])
        return split_alpha(upright(pixels, turn), kind, tags, coding, tuple(notes))
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
    return split_alpha(upright(_array_of(image, mode), turn), kind, tags, coding, tuple(notes))


def _frames_of(image: Image.Image, size: int) -> int | str:
    """Return how many frames or pages a file of `size` bytes has, "several" where counting would be walking through many."""
    if image.format in CHAINS and size > COUNTED:
        return "several" if image.is_animated else 1  # type: ignore[attr-defined]
    return getattr(image, "n_frames", 1)


def _jpeg(data: bytes, image: Image.Image) -> np.ndarray | None:
    """Return the pixels of a JPEG, (H, W) or (H, W, 3), or None for other files and where Pillow has to give them.

    OpenCV decodes to the same numbers, and needs 3 bytes a pixel where Pillow needs 4, and 3 more to take them over. Its
    libjpeg tells of damage, and Pillow's does not: so OpenCV goes through inks, too, whose pixels are left to Pillow.
    """
    if image.format not in ("JPEG", "MPO"):
        return None
    colour = {"L": cv2.IMREAD_GRAYSCALE, "RGB": cv2.IMREAD_COLOR_RGB}.get(image.mode)
    way = cv2.IMREAD_REDUCED_GRAYSCALE_8 if colour is None else colour  # the small one unpacks all, and keeps little
    with contextlib.suppress(cv2.error), silent_opencv():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), way | cv2.IMREAD_IGNORE_ORIENTATION)
        if colour is not None and pixels is not None and pixels.shape[1::-1] == image.size:
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


def _is_deep(image: Image.Image, kind: str, data: bytes) -> bool:
    """Return whether the file holds more than 8 bits a channel, which Pillow cuts to 8 in colour."""
    return data[24] == 16 if kind == "PNG" else image.mode.startswith("I;16")


def _is_rare(image: Image.Image) -> bool:
    """Return whether Pillow would not read a TIFF, or not as it is meant."""
    layout = Layout.of(image.tag_v2)  # type: ignore[attr-defined]
    if not layout.plain or layout.compression in USUAL:
        return not layout.plain
    try:
        image.load()
    except (OSError, ValueError, RuntimeError):  # a compression that this Pillow was built without
        return True
    return False


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
