"""Test data: a clean picture in, a degraded one out."""

from __future__ import annotations

import numpy as np
import torch

from irflow_cli.degradations import degrade
from irflow_cli.engines.grey import as_colour, grey_of
from irflow_cli.images.picture import Picture, as_depth
from irflow_cli.tensors import array_of, tensor_of


def degrade_picture(picture: Picture, kind: str, severity: float, seed: int) -> Picture:
    """Return the picture degraded by an entry of DEGRADATIONS, clipped and rounded to its own depth; grey stays grey."""
    grey = grey_of(picture)
    if grey is not None:
        return as_colour(degrade_picture(grey, kind, severity, seed))
    generator = torch.Generator().manual_seed(picture.seed(seed))
    clean = tensor_of(picture.unit())
    degraded = array_of(degrade(clean, kind, severity, generator=generator))[0]
    pixels = as_depth(np.clip(degraded, 0, 1), picture.pixels.dtype)
    return picture.with_pixels(pixels if picture.pixels.ndim == 3 else pixels[..., 0])
