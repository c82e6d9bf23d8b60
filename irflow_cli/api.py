"""The public Python API: pictures as Pillow images or numpy arrays, in and out."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint
from irflow_cli.runtime.images import Picture
from irflow_cli.services.restore import Restorer, RestoreSettings

__all__ = ["load_checkpoint", "restore"]

AnyPicture = TypeVar("AnyPicture", Image.Image, np.ndarray)


def restore(picture: AnyPicture, task: str, *, checkpoint: Checkpoint | str | None = None, **settings: Any) -> AnyPicture:
    """Return the restored picture, of the same type, size and depth; the input is not modified.

    picture: a Pillow image (L, LA, RGB, RGBA; others are converted to RGB) or an array (H, W), (H, W, 3) or (H, W, 4) of
    uint8, uint16, or float with white at 1. Alpha is carried through. task: derain, denoise or deraindrop. checkpoint: what
    `load_checkpoint` returned, or a name or path. settings: the fields of `RestoreSettings` (steps, sigma, tile, ...).
    Raises UsageError for pictures and settings that make no sense, CheckpointError, DeviceError.

    >>> restore(np.zeros((4, 6, 3), np.uint8), "derain").shape
    (4, 6, 3)
    """
    loaded = checkpoint if isinstance(checkpoint, Checkpoint) else None
    name = str(loaded.path) if loaded else checkpoint
    restorer = Restorer(RestoreSettings(task=task, checkpoint=name, **settings), loaded)  # type: ignore[arg-type]
    if isinstance(picture, Image.Image):
        modes = ("L", "LA", "RGB", "RGBA")
        image = picture if picture.mode in modes else picture.convert("RGB")
        return Image.fromarray(_restored(np.array(image), restorer))
    if not isinstance(picture, np.ndarray):
        raise UsageError(f"expected a Pillow image or a numpy array, got {type(picture).__name__}")
    if picture.dtype.kind == "f":
        return _restored(picture.astype(np.float32), restorer).astype(picture.dtype)
    if picture.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"expected uint8, uint16 or float pixels, got {picture.dtype}")
    return _restored(picture.copy(), restorer)


def _restored(pixels: np.ndarray, restorer: Restorer) -> np.ndarray:
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (2, 3, 4)) or 0 in pixels.shape:
        raise UsageError(f"expected pixels (H, W), (H, W, 3) or (H, W, 4), got {pixels.shape}")
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        colour = pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3]
        done = restorer.restore(Picture(np.ascontiguousarray(colour), None, "PNG"))[0].pixels
        return np.dstack([done, pixels[..., -1]])
    return restorer.restore(Picture(pixels, None, "PNG"))[0].pixels
