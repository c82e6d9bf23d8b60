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
