"""Distances between pictures: PSNR and SSIM on RGB and on luma. Pictures are (B, C, H, W), float, in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.tensors import luma


def rounded(image: Tensor) -> Tensor:
    """Return the picture as an 8-bit file would hold it: clipped to [0, 1] and rounded to 255 levels."""
    return (image.clamp(0, 1) * 255).round() / 255


def psnr(image: Tensor, reference: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each picture in dB, (B,), for a data range of 1; inf when equal."""
    return -10 * (image.double() - reference.double()).square().flatten(1).mean(1).log10()


def psnr_y(image: Tensor, reference: Tensor) -> Tensor:
    """Return the PSNR of the BT.601 luma of RGB pictures in dB, (B,), as the deraining papers report it."""
    return psnr(luma(image.double()), luma(reference.double()))


def ssim(image: Tensor, reference: Tensor) -> Tensor:
    """Return the structural similarity of each picture, (B,): Gaussian window of 11 pixels, sigma 1.5, mean of channels.

    Source: Wang et al. 2004. The windows lie inside the picture, as in the authors' code and scikit-image's
    `gaussian_weights=True, use_sample_covariance=False`. Raises ValueError for pictures under 11 pixels.
    """
    if min(image.shape[-2:]) < 11:
        raise ValueError("SSIM needs pictures of at least 11 x 11 pixels")
    axis = torch.arange(11, dtype=torch.float64, device=image.device) - 5
    window = torch.exp(-(axis**2) / (2 * 1.5**2))
    window = window / window.sum()
    channels = image.shape[1]
    a, b = image.double(), reference.double()

    def blur(x: Tensor) -> Tensor:
        x = F.conv2d(x, window.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
        return F.conv2d(x, window.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)

    mean_a, mean_b = blur(a), blur(b)
    variance_a, variance_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    score = score / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
    return score.flatten(1).mean(1)


def ssim_y(image: Tensor, reference: Tensor) -> Tensor:
    """Return the SSIM of the BT.601 luma, (B,)."""
    return ssim(luma(image.double()), luma(reference.double()))
