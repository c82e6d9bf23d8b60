"""Skies with clouds, drawn into clean pictures before drops: soft pale spots that are no water (hard negatives)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import chance, log_uniform, uniform
from irflow_cli.tensors import match_dims

OCTAVES = (160, 80, 40, 20, 10, 5)  # pixels between the points of the clouds' noise, wide to fine


def skies(clean: Tensor, generator: torch.Generator) -> Tensor:
    """Return clean pictures (B, 1 or 3, H, W), each with a sky above a bent horizon or all over, clouds in it. In [0, 1].

    A cloud and a drop out of focus look much alike. The clouds belong to the clean picture, so training on them teaches to
    leave them. Blue, grey, white and evening skies, dark and bright; wisps, heaps and closed cover; lit from one side.
    """
    count, channels, height, width = clean.shape
    picture = clean.to(generator.device)

    def each(low: float, high: float) -> Tensor:
        return match_dims(uniform(low, high, count, generator), picture)

    rows = torch.linspace(0, 1, height, device=generator.device)[:, None]
    columns = torch.linspace(-0.5, 0.5, width, device=generator.device)[None, :]
    coloured = ((picture - picture[:, :1]).abs().amax((1, 2, 3)) > 0).float()  # grey stays grey
    warm = each(-1, 0.5) * match_dims(coloured, picture)
    light = match_dims(log_uniform(0.15, 1, count, generator), picture)
    tint = torch.linspace(0.4, -0.4, channels, device=generator.device)[:, None, None]
    falling = 1 + each(-0.3, 0.5) * (rows - 0.5) + each(-0.2, 0.2) * columns
    air = light * falling * (1 + warm * each(0, 1) * tint)
    fall = each(0.35, 0.75)
    heaps = _fractal(count, height, width, fall, generator)
    dark = _fractal(count, height, width, fall, generator)
    steep = match_dims(log_uniform(0.8, 8, count, generator), picture)
    cover = torch.sigmoid(steep * (heaps - each(-1, 1.2))) * each(0.3, 1)
    bright = (light * match_dims(log_uniform(1, 4, count, generator), picture)).clamp(max=1)
    cloud = bright * (1 + each(0, 0.3) * dark + each(-0.4, 0.1) * cover * heaps.clamp(0, 2)) * (1 + 0.15 * warm * tint)
    sky = torch.lerp(air, cloud, cover).clamp(0, 1)
    horizon = each(0.1, 1.5) + each(-0.6, 0.6) * columns + each(0, 0.15) * _fractal(count, 1, width, fall, generator)
    share = torch.sigmoid((horizon - rows) / match_dims(log_uniform(0.003, 0.1, count, generator), picture))
    there = share * (1 - match_dims(chance(0.25, count, generator), picture) * each(0, 0.6))
    return torch.lerp(picture, sky.expand_as(picture), there).clamp(0, 1).to(clean)


def _fractal(count: int, height: int, width: int, fall: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise of all OCTAVES (count, 1, H, W), of deviation near 1, each finer one `fall` (B, 1, 1, 1) times as strong."""
    total, power, strength = torch.zeros((count, 1, height, width), device=generator.device), 0, torch.ones_like(fall)
    for apart in OCTAVES:
        points = (count, 1, height // apart + 3, width // apart + 3)
        bumps = torch.randn(points, generator=generator, device=generator.device)
        bumps = F.interpolate(bumps, scale_factor=apart, mode="bicubic", align_corners=False)[..., :height, :width]
        total, power, strength = total + strength * bumps, power + strength.square(), strength * fall
    return total / (0.6 * power).sqrt()
