"""Distances between pictures: PSNR, SSIM, MS-SSIM, on RGB and on luma. Pictures are (B, C, H, W), float, in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.tensors import luma

MS_SSIM = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents, finest scale first


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
    return _similarity(image, reference)[0]


def ms_ssim(image: Tensor, reference: Tensor) -> Tensor:
    """Return the multi-scale structural similarity of each picture, (B,), over five scales, each half of the one before.

    Source: Wang, Simoncelli, Bovik 2003, with their exponents. Negative similarities count as 0. Raises ValueError for
    pictures under 176 pixels.
    """
    smallest = 11 * 2 ** (len(MS_SSIM) - 1)
    if min(image.shape[-2:]) < smallest:
        raise ValueError(f"MS-SSIM needs pictures of at least {smallest} x {smallest} pixels")
    product = torch.ones(image.shape[0], dtype=torch.float64, device=image.device)
    for scale, exponent in enumerate(MS_SSIM):
        whole, contrast = _similarity(image, reference)
        last = scale == len(MS_SSIM) - 1
        product = product * (whole if last else contrast).clamp_min(0) ** exponent
        image, reference = F.avg_pool2d(image, 2), F.avg_pool2d(reference, 2)
    return product


def _similarity(image: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Return SSIM and its part without the means (contrast and structure), each (B,)."""
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
    contrast = (2 * covariance + c2) / (variance_a + variance_b + c2)
    score = contrast * (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return score.flatten(1).mean(1), contrast.flatten(1).mean(1)


def ssim_y(image: Tensor, reference: Tensor) -> Tensor:
    """Return the SSIM of the BT.601 luma, (B,)."""
    return ssim(luma(image.double()), luma(reference.double()))
