"""The noise of a picture: how much there is, and where a path begins with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from irflow_cli.degradations.draw import noise_like
from irflow_cli.degradations.estimate import estimate_sigma
from irflow_cli.engines.mosaic import Phase
from irflow_cli.engines.settings import FULL_SCALE
from irflow_cli.images.picture import unit_of
from irflow_cli.tensors import match_dims, tensor_of

MIDDLE = 1024  # pixels of the sides of what an estimate looks at
PLACE = 64  # pixels of the sides of the places in which a network looks for noise
WHITE_SHARE = 0.75  # of what the network takes out, an estimate of white noise finds more than this
NOTHING, GAIN, MOST = 0.8, 3.0, 2.5  # of what it sees: how much says nothing, and what is added for the rest, and at most


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
    which has less noise than the level that the network is given. s is that of `noise_entry`."""
    return max(0.0, 1 - 2 * (sigma or 0) / FULL_SCALE)


def noise_of(pixels: np.ndarray) -> float:
    """Return the estimated noise of pixels (H, W) or (H, W, 3), 0-255 scale, from the middle of a large picture."""
    return 255 * estimate_sigma(tensor_of(unit_of(_middle(pixels))))


@dataclass(frozen=True)
class Noise:
    """What a network takes out of a picture: its standard deviation over all, the darker and the lighter half (0-255 scale)."""

    sigma: float
    dark: float
    light: float

    @classmethod
    def of(cls, degraded: Tensor, restored: Tensor) -> Noise:
        """Return the noise between pictures (B, C, H, W) and what was made of them."""
        noise = 255 * (degraded - restored)
        light = restored.mean(1, keepdim=True).expand_as(noise)
        half = light.median()
        dark, bright = noise[light <= half], noise[light > half]
        return cls(*(float(part.square().mean().sqrt()) if part.numel() else 0.0 for part in (noise, dark, bright)))


def level_of(estimate: float, seen: Noise) -> float:
    """Return the level to give to a network, by the estimate of white noise and by what the network itself saw (0-255 scale).

    The estimate is right for white noise. It misses noise that was demosaicked, smoothed or compressed; then the network sees
    more than the given level, and more of it once the level is higher. What little it sees in a clean picture says nothing.
    """
    if estimate > WHITE_SHARE * seen.sigma:
        return estimate
    return max(estimate, min(GAIN * (seen.sigma - NOTHING), MOST * seen.sigma))


def said_of(seen: Noise) -> str:
    """Return what was found, in words."""
    if seen.sigma < NOTHING:
        return "hardly any noise found"
    where = ""
    if max(seen.dark, seen.light) > 1.25 * min(seen.dark, seen.light):
        where = f", more in the {'shadows' if seen.dark > seen.light else 'bright parts'}"
    if seen.sigma < 1.5:
        return f"a little noise, about sigma {seen.sigma:.1f}{where}"
    return f"noise of about sigma {seen.sigma:.0f}{where}"


def places_of(pixels: np.ndarray, phase: Phase | None = None) -> Tensor:
    """Return places of pixels (H, W) or (H, W, 3): four, spread over the picture, or a small one's middle.

    Shape: (4, C, PLACE, PLACE), or (1, C, at most 2 PLACE, at most 2 PLACE); white at 1. phase: that of a mosaic, which then
    begins with red in each of them.
    """
    small = min(pixels.shape[:2]) < 2 * PLACE
    size = 2 * PLACE if small else PLACE
    begins = [
        (max(0, (side - size) // 2),) if small else (side // 4 - size // 2, side - side // 4 - size // 2)
        for side in pixels.shape[:2]
    ]
    if phase is not None:
        begins = [tuple(one + (one + before) % 2 for one in ones) for ones, before in zip(begins, phase, strict=True)]
    return torch.cat([tensor_of(unit_of(pixels[y : y + size, x : x + size])) for y in begins[0] for x in begins[1]])


def _middle(pixels: np.ndarray) -> np.ndarray:
    """Return at most the middle MIDDLE x MIDDLE pixels."""
    top, left = (max(0, (side - MIDDLE) // 2) for side in pixels.shape[:2])
    return pixels[top : top + MIDDLE, left : left + MIDDLE]
