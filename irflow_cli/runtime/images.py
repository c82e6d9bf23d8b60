"""Pictures in files: found, decoded strictly, written atomically. Content decides the format, not the name."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from irflow_cli.errors import ImageError

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}
READABLE = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF")


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    pixels: (H, W) grey or (H, W, 3) RGB, uint8 or uint16; alpha: (H, W) of the same type or None; format: Pillow's name of
    the file's format; extras: what Pillow's `save` takes along (ICC profile, EXIF with orientation reset, quality).
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    format: str
    extras: dict[str, object] = field(default_factory=dict)

    def rgb8(self) -> np.ndarray:
        """Return (H, W, 3) uint8, whatever the picture holds."""
        pixels = self.pixels if self.pixels.ndim == 3 else np.repeat(self.pixels[..., None], 3, axis=2)
        return pixels if pixels.dtype == np.uint8 else np.round(pixels / 257).astype(np.uint8)

    def unit(self) -> np.ndarray:
        """Return (H, W, 1 or 3) float32 in [0, 1]."""
        pixels = self.pixels if self.pixels.ndim == 3 else self.pixels[..., None]
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)

    def with_pixels(self, pixels: np.ndarray) -> Picture:
        """Return the same picture, alpha and extras with other pixels of the same shape and type."""
        return replace(self, pixels=pixels)


def find_pictures(folder: Path) -> list[Path]:
    """Return the files below `folder`, sorted, whose names end like pictures; folders and files that start with a dot
    are left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_picture(path: Path) -> Picture:
    """Return the picture in `path`. Raises ImageError, in one line, for everything that is not a whole still picture."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from None
    if not data:
        raise ImageError(f"{path}: the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=READABLE) as image:
                return _decode(image, data, path)
    except UnidentifiedImageError:
        raise ImageError(f"{path}: not a picture that irflow reads ({', '.join(READABLE)})") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(f"{path}: larger than {Image.MAX_IMAGE_PIXELS} pixels; refused as a decompression bomb") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise ImageError(f"{path}: damaged or incomplete ({error})") from None


def _decode(image: Image.Image, data: bytes, path: Path) -> Picture:
    if getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"{path}: holds {image.n_frames} frames; irflow works on still pictures")  # type: ignore[attr-defined]
    kind = image.format or "PNG"
    extras: dict[str, object] = {key: image.info[key] for key in ("icc_profile",) if image.info.get(key)}
    if kind == "JPEG":
        extras |= {"quality": 95, "subsampling": 0}
    elif kind == "WEBP":
        extras |= {"lossless": data[12:16] == b"VP8L" or b"VP8L" in data[12:64], "quality": 95}
    image.load()  # strict: a truncated file raises here
    exif = image.getexif()
    turn = exif.get(0x0112, 1)
    if len(exif):
        exif[0x0112] = 1
        extras["exif"] = exif.tobytes()
    if kind == "TIFF":
        extras.pop("exif", None)  # Pillow gives the file's own layout as EXIF there
    if _is_deep(image, kind, data):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.dtype != np.uint16:
            raise ImageError(f"{path}: 16-bit pixels that cannot be decoded; convert it to a 16-bit PNG")
        if pixels.ndim == 3:
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
        return _split(_upright(pixels, turn), kind, extras)
    if image.mode in ("I", "F"):
        raise ImageError(f"{path}: {image.mode} pixels are not supported; convert it to 8 or 16 bits")
    if image.mode == "CMYK":
        extras.pop("icc_profile", None)
    has_alpha = image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA")
    image = image.convert(("LA" if has_alpha else "L") if grey else ("RGBA" if has_alpha else "RGB"))
    return _split(_upright(np.array(image), turn), kind, extras)


def _is_deep(image: Image.Image, kind: str, data: bytes) -> bool:
    """Return whether the file holds 16 bits a channel, which Pillow cuts to 8 in colour."""
    if kind == "PNG":
        return data[24] == 16
    bits = image.tag_v2.get(258, (8,)) if kind == "TIFF" else (8,)  # type: ignore[attr-defined]
    return image.mode.startswith("I;16") or 16 in bits


def _split(pixels: np.ndarray, kind: str, extras: dict[str, object]) -> Picture:
    """Return a picture from (H, W), (H, W, 2 grey + alpha), (H, W, 3) or (H, W, 4) pixels."""
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        colour, alpha = pixels[..., :-1], pixels[..., -1]
        return Picture(np.ascontiguousarray(colour.squeeze(2) if pixels.shape[2] == 2 else colour), alpha, kind, extras)
    return Picture(np.ascontiguousarray(pixels), None, kind, extras)


def _upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Return the pixels with EXIF orientation `turn` (1 to 8) undone."""
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def encode_picture(picture: Picture, kind: str) -> bytes:
    """Return the picture as the bytes of a file of format `kind`. Raises ImageError for what the format cannot hold."""
    pixels, alpha = picture.pixels, picture.alpha
    if alpha is not None and kind in ("JPEG", "BMP"):
        raise ImageError(f"{kind} cannot hold transparency; write PNG or WebP")
    if pixels.dtype == np.uint16:
        return _encode_deep(picture, kind)
    if alpha is not None:
        pixels = np.dstack([pixels, alpha])
    extras = {key: value for key, value in picture.extras.items() if kind == picture.format or key in ("icc_profile", "exif")}
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **extras)
    return buffer.getvalue()


def _encode_deep(picture: Picture, kind: str) -> bytes:
    if kind not in ("PNG", "TIFF"):
        raise ImageError(f"{kind} cannot hold 16 bits a channel; write PNG or TIFF")
    pixels = picture.pixels if picture.pixels.ndim == 2 else picture.pixels[..., ::-1]
    if picture.alpha is not None:
        colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        pixels = np.dstack([colour, picture.alpha])
    ok, data = cv2.imencode(f".{kind.lower()}", np.ascontiguousarray(pixels))
    if not ok:
        raise ImageError(f"cannot encode {pixels.shape} as {kind}")
    return data.tobytes()


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path`: whole, or not at all. Raises ImageError when it exists or cannot be written."""
    if path.exists() and not overwrite:
        raise ImageError(f"{path} exists; use --overwrite or another output")
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        os.replace(temporary, path)  # noqa: PTH105 - one call, atomic on every system
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        if isinstance(error, OSError):
            raise ImageError(f"cannot write {path}: {error.strerror or error}") from None
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
