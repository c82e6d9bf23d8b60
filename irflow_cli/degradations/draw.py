"""Random draws, one value a sample, from an explicit generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` values, uniform on [low, high), on the generator's device."""
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def log_uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` values whose logarithm is uniform: small and large sizes are equally likely."""
    return uniform(math.log(low), math.log(high), count, generator).exp()


def chance(probability: float, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` values, 1 with the given probability and 0 otherwise."""
    return (torch.rand(count, generator=generator, device=generator.device) < probability).float()


def noise_like(image: Tensor, generator: torch.Generator) -> Tensor:
    """Return standard normal noise of the image's shape, drawn on the generator's device."""
    noise = torch.randn(image.shape, generator=generator, device=generator.device)
    return noise.to(image.device, image.dtype)


def smooth_map(count: int, height: int, width: int, cells: int, generator: torch.Generator) -> Tensor:
    """Return `count` smooth random maps, (count, 1, height, width), of mean 0 and deviation near 1, `cells` bumps across."""
    bumps = torch.randn((count, 1, cells, cells), generator=generator, device=generator.device)
    return F.interpolate(bumps, (height, width), mode="bicubic", align_corners=True)


def blurred(picture: Tensor, sigma: Tensor, reach: int) -> Tensor:
    """Return pictures (B, C, H, W), each after a Gaussian of its own deviation `sigma` (B,) in pixels, which takes in `reach`
    pixels on each side; 0 leaves it alone."""
    count, channels, height, width = picture.shape
    offset = torch.arange(-reach, reach + 1, device=sigma.device, dtype=sigma.dtype)
    kernel = torch.exp(-0.5 * (offset / sigma.clamp_min(1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0).to(picture)  # (B C, K)
    planes = F.pad(picture.reshape(1, count * channels, height, width), [reach] * 4, mode="replicate")
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=count * channels)
    planes = F.conv2d(planes, kernel[:, None, None, :], groups=count * channels)
    return planes.reshape(picture.shape)
