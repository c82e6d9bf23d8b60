"""Pillow images and numpy arrays as pictures, and back in the type that they came in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from PIL import Image

from irflow_cli.errors import ImageError, UsageError
from irflow_cli.images.metadata import sized
from irflow_cli.images.picture import Picture
from irflow_cli.images.span import Given, Span, checked, clear_of, counts_to_one

AnyPicture = TypeVar("AnyPicture", Image.Image, np.ndarray)
MODES = {mode: mode for mode in ("L", "LA", "RGB", "RGBA", "I;16")}  # of Pillow, and what each is worked on as
MODES |= {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}
CLEAR = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}  # those of which one colour may stand for nothing, and as what
BESIDE = ("icc_profile", "exif", "xmp", "XML:com.adobe.xmp", "dpi")  # what Pillow has beside the pixels, and a result keeps


def opened(picture: AnyPicture, span: Given = None) -> tuple[Picture, Callable[[Picture], AnyPicture]]:
    """Return a picture's pixels, copied, and the function that returns a result in the type and depth it came in; Pillow images
    keep colour profile, EXIF, XMP and dpi.

    span: black and white of float pixels, which count from 0 to 1 without it; the result counts as the picture does.
    Raises UsageError for modes, types and shapes that are not worked on, ImageError for images that cannot be read.
    """
    if isinstance(picture, Image.Image):
        return _of_pillow(picture)
    if not isinstance(picture, np.ndarray):
        raise UsageError(f"expected a Pillow image or a numpy array, got {type(picture).__name__}")
    if picture.dtype.kind == "f":
        counted = _counted(np.array(picture), span)
        return replace(_split(counted.unit()), span=counted if span else None), lambda done: counted.back(_joined(done))
    if picture.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"expected uint8, uint16 or float pixels, got {picture.dtype}")
    return _split(np.array(picture, order="C")), _joined


def _of_pillow(picture: Image.Image) -> tuple[Picture, Callable[[Picture], Image.Image]]:
    _load(picture)  # for some files tell what stands behind the pixels only then
    mode = CLEAR.get(picture.mode) if "transparency" in picture.info else None
    mode = mode or MODES.get(picture.mode)
    if mode is None:
        raise UsageError(f"pixels of mode {picture.mode} are not supported; use one of {', '.join(MODES)}, or an array")
    beside = {name: picture.info[name] for name in BESIDE if name in picture.info}
    if picture.mode == "CMYK":  # whose profile is about inks
        beside.pop("icc_profile", None)

    def back(done: Picture) -> Image.Image:
        result = Image.fromarray(_joined(done))
        result.info |= beside
        if beside.get("exif"):
            result.info["exif"] = sized(beside["exif"], done.pixels.shape)
        return result

    return _split(np.array(picture if mode == picture.mode else picture.convert(mode))), back


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except Exception as error:  # Pillow raises errors of all kinds
        said = " ".join(str(error).split())
        raise ImageError(f"an image cannot be read ({said}); open a whole one, or load it before its file is closed") from None


def _counted(pixels: np.ndarray, span: Given) -> Span:
    low, high = checked(*span) if span else (0.0, 1.0)
    try:
        return Span(low, high, pixels, clear_of(pixels, low, high))
    except ValueError as error:
        raise UsageError(f"{error}; or give `range`, such as (0, 255)" if span is None else str(error)) from None


def mask_values(mask: Image.Image | np.ndarray) -> np.ndarray:
    """Return a mask (H, W) of bool, uint8, uint16 or float. Raises UsageError for others, colours and transparency,
    ImageError for images that cannot be read."""
    values = _one_channel(mask) if isinstance(mask, Image.Image) else np.asarray(mask)
    if values.ndim != 2 or (values.dtype != bool and values.dtype not in (np.uint8, np.uint16) and values.dtype.kind != "f"):
        raise UsageError(f"`mask` is (H, W) of bool, uint8, uint16 or float, got {values.dtype} {values.shape}")
    return values


def finite(picture: Picture, where: np.ndarray | None = None) -> Picture:
    """Return the picture. Raises UsageError where it holds no numbers; where: the pixels (H, W), bool, that count."""
    pixels = picture.pixels if where is None else picture.pixels[where]
    if not np.isfinite(pixels).all():
        raise UsageError("the picture holds nan or infinity; give numbers, or fill those pixels with irflow_cli.inpaint first")
    if pixels.dtype.kind == "f" and picture.span is None and pixels.size and not counts_to_one(pixels):
        raise UsageError(f"the picture goes from {pixels.min():.4g} to {pixels.max():.4g}; give `range`, such as (0, 255)")
    return picture


def _one_channel(mask: Image.Image) -> np.ndarray:
    _load(mask)
    if mask.mode == "L" or mask.mode.startswith("I;16"):  # whose pixels `convert` would cut off at 255
        return np.asarray(mask)
    if mask.mode not in MODES:
        raise UsageError(f"`mask` of mode {mask.mode} is not supported; use one of {', '.join(MODES)}, or an array")
    red, green, blue, alpha = np.moveaxis(np.asarray(mask.convert("RGBA")), 2, 0)
    if (alpha < 255).any() or (red != green).any() or (red != blue).any():
        raise UsageError("`mask` is coloured or partly transparent; make it black and white")
    return red


def _split(pixels: np.ndarray) -> Picture:
    """Return pixels (H, W), (H, W, 3), or with transparency (H, W, 2) or (H, W, 4), as a picture."""
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (2, 3, 4)) or 0 in pixels.shape:
        raise UsageError(f"expected pixels (H, W), (H, W, 3) or (H, W, 4), got {pixels.shape}")
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return Picture(pixels, None, "PNG")
    colour = pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3]
    return Picture(np.ascontiguousarray(colour), np.ascontiguousarray(pixels[..., -1]), "PNG")


def _joined(picture: Picture) -> np.ndarray:
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
