"""How noisy is a picture? The question that must be answered before a path can be entered at the right time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH = 8  # pixels; patches of all channels together
MOST = 40_000  # patches looked at, from a regular grid over the picture


def estimate_sigma(image: Tensor) -> float:
    """Return the standard deviation of the white noise in a picture (1, C, H, W) in [0, 1], on the same scale.

    Patches of a natural picture lie near a space of few dimensions; the variance in all others is the noise's. The
    largest eigenvalues of the patch covariance are left out until mean and median of the rest agree.
    Source: Chen, Zhu, Heng, "An Efficient Statistical Method for Image Noise Level Estimation", ICCV 2015.
    Differs: a flat or clipped patch (more than a tenth of its values at 0 or 1) is not looked at, since clipping hides
    noise. Pictures under 3 patches across return 0.
    """
    size = min(PATCH, (min(image.shape[-2:]) + 1) // 3)
    if size < 3:
        return 0.0
    count = (image.shape[-2] - size + 1) * (image.shape[-1] - size + 1)
    stride = max(1, round((count / MOST) ** 0.5))
    patches = F.unfold(image, size, stride=stride)[0].T  # (patches, C * size * size)
    inside = ((patches <= 0) | (patches >= 1)).float().mean(1) < 0.1
    patches = patches[inside].double() if inside.sum() > 4 * patches.shape[1] else patches.double()
    if len(patches) < 2:
        return 0.0
    values = torch.linalg.eigvalsh(torch.cov(patches.T)).clamp_min(0)  # ascending
    for kept in range(len(values), 1, -1):
        if values[:kept].mean() <= values[:kept].quantile(0.5):
            return float(values[:kept].mean().sqrt())
    return float(values[0].sqrt())
