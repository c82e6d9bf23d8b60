"""The public Python API: pictures as Pillow images or numpy arrays, in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from irflow_cli.engines.holes import check_spread, spread_hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import OPERATOR, SCALE, RestoreSettings, SamplerSettings
from irflow_cli.engines.upscaler import Upscaler
from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture, top_of
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint

__all__ = ["inpaint", "load_checkpoint", "restore", "upscale"]

AnyPicture = TypeVar("AnyPicture", Image.Image, np.ndarray)
MODES = {mode: mode for mode in ("L", "LA", "RGB", "RGBA", "I;16")}  # of Pillow, and what each is worked on as
MODES |= {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}


def restore(picture: AnyPicture, task: str, *, checkpoint: Checkpoint | str | None = None, **settings: Any) -> AnyPicture:
    """Return the restored picture, of the same type, size and depth; the input is not modified.

    picture: a Pillow image (L, LA, RGB, RGBA or I;16; 1, P, CMYK and YCbCr come back as one of those) or an array (H, W),
    (H, W, 2), (H, W, 3) or (H, W, 4) of uint8, uint16, or finite float with white at 1. Alpha, the last of two or four
    channels, is carried through. task: derain, denoise or deraindrop. checkpoint: what `load_checkpoint` returned, or a name
    or path. settings: the fields of `RestoreSettings` (steps, sigma, tile, ...).
    Raises UsageError for pictures and settings that make no sense, ImageError for what cannot be worked on,
    CheckpointError, DeviceError.

    >>> restore(np.zeros((4, 6, 3), np.uint8), "derain").shape
    (4, 6, 3)
    """
    loaded, name = _given(checkpoint)
    restorer = Restorer(RestoreSettings(task=task, checkpoint=name, **settings), loaded)
    return _worked(picture, lambda whole: restorer.restore(_finite(whole))[0])


def inpaint(
    picture: AnyPicture,
    mask: Image.Image | np.ndarray,
    *,
    checkpoint: Checkpoint | str | None = None,
    dilate: int = 0,
    feather: int = 0,
    **settings: Any,
) -> AnyPicture:
    """Return the picture with its missing pixels filled, of the same type, size and depth; all others are its own.

    picture: as for `restore`; missing pixels may be anything, nan too. mask: (H, W), above half of white, or True, where the
    picture is missing; as a Pillow image it may have channels, all of them equal. dilate, feather: pixels by which
    the hole grows, and over which its edge fades.
    settings: the fields of `WalkSettings` (preset, steps, seed, ...). Raises UsageError, ImageError, CheckpointError,
    DeviceError.
    """
    loaded, name = _given(checkpoint)
    inpainter = Inpainter(SamplerSettings(checkpoint=name, **settings), loaded)
    values = _mask_values(mask) if isinstance(mask, Image.Image) else np.asarray(mask)
    if values.ndim != 2 or (values.dtype != bool and values.dtype not in (np.uint8, np.uint16) and values.dtype.kind != "f"):
        raise UsageError(f"expected a mask (H, W) of bool, uint8, uint16 or float, got {values.dtype} {values.shape}")
    inside = values if values.dtype == bool else values > top_of(values.dtype) / 2
    if not inside.any():
        raise UsageError("the mask is empty; what is missing is True, or above half of white")
    check_spread(dilate, feather)

    def fill(whole: Picture) -> Picture:
        if whole.pixels.shape[:2] != inside.shape:
            raise UsageError(f"the mask is {inside.shape}, the picture {whole.pixels.shape[:2]} (rows, columns)")
        hole = spread_hole(inside, dilate, feather)
        return inpainter.fill(
            _finite(whole, ~inside if hole.weight is None else hole.weight < 1), hole, inpainter.prior.settings.seed
        )

    return _worked(picture, fill)


def upscale(
    picture: AnyPicture,
    scale: int = SCALE,
    *,
    operator: str = OPERATOR,
    checkpoint: Checkpoint | str | None = None,
    **settings: Any,
) -> AnyPicture:
    """Return the picture `scale` times as high and wide, of the same type and depth.

    picture: as for `restore`. operator: how it was made smaller, "area" or "grid". settings: the fields of `WalkSettings`.
    Raises UsageError, ImageError, CheckpointError, DeviceError.
    """
    loaded, name = _given(checkpoint)
    upscaler = Upscaler(SamplerSettings(checkpoint=name, **settings), scale, operator, loaded)
    return _worked(picture, lambda whole: upscaler.enlarge(_finite(whole)))


def _given(checkpoint: Checkpoint | str | None) -> tuple[Checkpoint | None, str | None]:
    """Return the checkpoint that is loaded already, if it is, and its name."""
    loaded = checkpoint if isinstance(checkpoint, Checkpoint) else None
    return loaded, str(loaded.path) if loaded else checkpoint  # type: ignore[return-value]


def _mask_values(mask: Image.Image) -> np.ndarray:
    """Return the one channel (H, W) of a mask. Raises UsageError when it has colours, or is transparent."""
    if mask.mode == "L" or mask.mode.startswith("I;16"):  # whose pixels `convert` would cut off at 255
        return np.asarray(mask)
    if mask.mode not in MODES:
        raise UsageError(f"masks of mode {mask.mode} are not supported; use one of {', '.join(MODES)}, or an array")
    red, green, blue, alpha = np.moveaxis(np.asarray(mask.convert("RGBA")), 2, 0)
    if (alpha < 255).any() or (red != green).any() or (red != blue).any():
        raise UsageError("the mask is coloured or partly transparent; make it black and white")
    return red


def _worked(picture: AnyPicture, work: Callable[[Picture], Picture]) -> AnyPicture:
    """Return what `work` makes of a picture, in the picture's own type."""
    if isinstance(picture, Image.Image):
        mode = "RGBA" if picture.mode == "P" and "transparency" in picture.info else MODES.get(picture.mode)
        if mode is None:
            raise UsageError(f"pixels of mode {picture.mode} are not supported; use one of {', '.join(MODES)}, or an array")
        image = picture if mode == picture.mode else picture.convert(mode)
        return Image.fromarray(_array_worked(np.array(image), work))
    if not isinstance(picture, np.ndarray):
        raise UsageError(f"expected a Pillow image or a numpy array, got {type(picture).__name__}")
    if picture.dtype.kind == "f":
        single = picture.astype(np.float32)
        done = _array_worked(single.copy(), work)
        back = done.astype(picture.dtype)
        return np.where(done == single, picture, back) if done.shape == picture.shape else back  # what was left alone is exact
    if picture.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"expected uint8, uint16 or float pixels, got {picture.dtype}")
    return _array_worked(picture.copy(), work)


def _finite(picture: Picture, where: np.ndarray | None = None) -> Picture:
    """Return the picture. Raises UsageError where it holds no numbers; where: the pixels (H, W), bool, that count."""
    pixels = picture.pixels if where is None else picture.pixels[where]
    if not np.isfinite(pixels).all():
        raise UsageError("the picture holds nan or infinity; give numbers, or fill those pixels with irflow_cli.inpaint first")
    return picture


def _array_worked(pixels: np.ndarray, work: Callable[[Picture], Picture]) -> np.ndarray:
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (2, 3, 4)) or 0 in pixels.shape:
        raise UsageError(f"expected pixels (H, W), (H, W, 3) or (H, W, 4), got {pixels.shape}")
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return work(Picture(pixels, None, "PNG")).pixels
    colour = pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3]
    done = work(Picture(np.ascontiguousarray(colour), np.ascontiguousarray(pixels[..., -1]), "PNG"))
    return np.dstack([done.pixels, done.alpha])  # type: ignore[list-item]
