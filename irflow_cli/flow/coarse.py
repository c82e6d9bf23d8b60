"""Pictures at half their size, where a hole is half as deep and a drop half as wide, and back."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

# The time at which missing pixels stand that begin in what is found at half the size, on the way from the mean of the noise.
GUESSED_AT = 0.7


def half_size(picture: Tensor) -> Tensor:
    """Return pictures (B, C, H, W) at half the size, rounded up: each pixel the mean of four, at an odd edge of two or one."""
    return F.avg_pool2d(picture, 2, ceil_mode=True)


def halved(picture: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures (B, C, H, W) and what is known of them (B, 1, H, W), 0 or 1, at half the size, rounded up: each pixel the
    mean of those of its four that are known, and known where one is."""
    seen = half_size(known)
    return half_size(picture * known) / seen.clamp_min(1e-6), (seen > 0).to(known)


def doubled(values: Tensor, height: int, width: int) -> Tensor:
    """Return values (B, C, H, W) at twice the size, by bicubic interpolation, cut to a height and width."""
    return F.interpolate(values, scale_factor=2, mode="bicubic", align_corners=False)[..., :height, :width]


def guess_from(found: Tensor, height: int, width: int) -> Tensor:
    """Return pictures (B, C, H, W) in [0, 1] that are to be gone on from, of what was found at half their size."""
    return doubled(found.clamp(0, 1), height, width).clamp(0, 1)
