"""The noise of a picture: how much there is, and where a path begins with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from irflow_cli.degradations.draw import noise_like
from irflow_cli.degradations.estimate import estimate_sigma
from irflow_cli.engines.settings import FULL_SCALE
from irflow_cli.images.picture import unit_of
from irflow_cli.tensors import match_dims, tensor_of


def as_if_three(
    grey: Tensor, sigmas: Sequence[float | None], generators: Sequence[torch.Generator]
) -> tuple[Tensor, list[float | None]]:
    """Return grey pictures (B, 3, H, W), whose channels have one noise, with noise of a mean of 0 over the channels on
    top, and the levels (0-255 scale) they have then.

    A prior knows noise that is independent from channel to channel. Three such of deviation sqrt(3) sigma have a mean of
    deviation sigma: this draws the rest of them to the mean that is there.
    """
    levels = [3**0.5 * (sigma or 0) for sigma in sigmas]
    noise = torch.cat([noise_like(one[None], generator) for one, generator in zip(grey, generators, strict=True)])
    scale = match_dims(torch.tensor(levels) / 255, grey)
    return grey + scale * (noise - noise.mean(1, keepdim=True)), list(levels)


def noise_entry(sigma: float | None) -> float:
    """Return the time t at which a prior's path has noise `sigma` (0-255 scale): for a noisy picture y, t y is then x_t.

    On [-1, 1] the noise is s = 2 sigma / 255 and t = 1 / (1 + s): so t y = t x_1 + (1 - t) n, signal and noise both exact.
    """
    return 1 / (1 + 2 * (sigma or 0) / FULL_SCALE)


def released_entry(sigma: float | None) -> float:
    """Return where the code released with Restora-Flow (arXiv 2511.20152) enters: at t = 1 - s, at least 0, in the state t y,
    which has less noise than the network is told. s is that of `noise_entry`."""
    return max(0.0, 1 - 2 * (sigma or 0) / FULL_SCALE)


def noise_of(pixels: np.ndarray) -> float:
    """Return the estimated noise of pixels (H, W) or (H, W, 3), 0-255 scale, from the middle of a large picture."""
    return 255 * estimate_sigma(tensor_of(unit_of(_middle(pixels))))


def _middle(pixels: np.ndarray, size: int = 1024) -> np.ndarray:
    """Return at most the middle `size` x `size` pixels."""
    top, left = (max(0, (side - size) // 2) for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]
