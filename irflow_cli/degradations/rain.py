"""Rain: streaks drawn by us, or taken from layers in files, laid over the picture; with or without a veil of mist."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import chance, log_uniform, smooth_map, uniform
from irflow_cli.degradations.streaks import Look, draw_streaks
from irflow_cli.tensors import match_dims

# Lengths and widths are pixels of a picture some 400 pixels high. Their statistics follow rain layers of the public sets
# (heavy, thin) and photographs of rain (the others).
THIN = Look((10, 55), (1.2, 2.8), (0.05, 0.6), (0.08, 0.9), (0.1, 1), (0, 0.6), (-0.6, 0.6), (0, 0.04), (0, 0.9))
MIXED = Look((8, 70), (0.8, 4.0), (0.05, 0.8), (0.08, 1.0), (0.3, 3), (0, 0.8), (-0.7, 0.7), (0, 0.12), (0, 0.9))
HEAVY = Look((25, 95), (1.3, 2.8), (1.6, 3.4), (0.12, 0.23), (1, 8), (0, 0.3), (-0.3, 0.3), (0, 0.14), (0, 0.3))
FINE = Look((4, 18), (0.8, 2.2), (0.4, 3), (0.03, 0.16), (0.5, 3), (0, 0.9), (-0.7, 0.7), (0, 0.1), (0, 0.9))
DEFOCUSED = Look((5, 30), (1.2, 5), (0.1, 1.2), (0.08, 0.5), (0.3, 2), (0.8, 2.5), (-0.6, 0.6), (0, 0.1), (0, 0.9))
FAINT = Look((12, 60), (1, 2.4), (0.8, 4), (0.02, 0.08), (0.3, 2), (0.2, 1), (-0.6, 0.6), (0, 0.1), (0, 0.7))
SNOW = Look((1, 9), (1.2, 4), (0.08, 1), (0.15, 0.8), (1, 4), (0.3, 1.6), (-0.9, 0.9), (0, 0.3), (0, 0.9))
BLURRED = Look((15, 60), (1, 2.5), (0.8, 3), (0.06, 0.16), (0.5, 4), (0.6, 1.4), (-0.4, 0.4), (0, 0.12), (0, 0.5))


def rain(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return rain of separate streaks, sharp and thin to broad: a few at severity 0.1, many at 1. Clipped to [0, 1]."""
    return _fallen((THIN, THIN, MIXED), clean, severity, generator)


def heavy_rain(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return rain whose streaks are hard-edged, even, and so many that they overlap, as in Rain100H. Clipped to [0, 1]."""
    return _fallen((HEAVY,), clean, severity, generator, translucent=0.0)


def soft_rain(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return rain without hard edges: fine and dense, out of focus, specks like snow, heavy but blurred. Clipped to [0, 1]."""
    return _fallen((FINE, FAINT, DEFOCUSED, SNOW, BLURRED), clean, severity, generator)


def veiled_rain(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return rain that becomes a mist with distance. Clipped to [0, 1].

    The light of the scene falls off as exp(-beta d), and light of the air takes its place (Koschmieder); the distance d is a
    smooth random map, mostly greater at the top. The air is grey with a part of the picture's own colour.
    """
    count, _, height, width = clean.shape
    strength = severity.to(generator.device).clamp(0, 1)
    slope = torch.linspace(1, -1, height, device=generator.device)[:, None]
    slope = slope * uniform(-0.5, 2, count, generator)[:, None, None, None]
    distance = torch.sigmoid(1.2 * (slope + smooth_map(count, height, width, 4, generator)))
    beta = match_dims(strength * log_uniform(0.2, 1.6, count, generator), distance)
    lost = (1 - torch.exp(-beta * distance)).to(clean)
    colour = clean.mean((2, 3), keepdim=True)
    tint = (colour - colour.mean(1, keepdim=True)) * match_dims(uniform(0, 0.5, count, generator).to(clean), clean)
    air = match_dims(uniform(0.5, 0.95, count, generator).to(clean), clean) + tint
    misty = clean + lost * (air - clean)
    return _fallen((THIN, MIXED, FINE, FAINT, DEFOCUSED, SNOW, BLURRED), misty, severity, generator, strength=0.7)


def _fallen(
    looks: tuple[Look, ...],
    picture: Tensor,
    severity: Tensor,
    generator: torch.Generator,
    translucent: float = 0.3,
    strength: float = 1.0,
) -> Tensor:
    """Return the picture with streaks of the looks: their light is added, in a share `translucent` they also hide."""
    count, _, height, width = picture.shape
    amount = severity.to(generator.device).clamp(0, 1)
    layer = (strength * draw_streaks(looks, (height, width), amount, generator)).to(picture)
    hides = match_dims(chance(translucent, count, generator).to(picture), picture)
    light = match_dims(uniform(0.7, 1, count, generator).to(picture), picture)
    layer = layer * (1 - hides) + hides * layer * (light - picture)
    wet = (picture + layer).clamp(0, 1)
    return torch.where(match_dims(amount.to(picture), picture) > 0, wet, picture)


def from_layers(clean: Tensor, severity: Tensor, generator: torch.Generator, layers: Tensor) -> Tensor:
    """Return clean plus rain layers from files, clipped to [0, 1]; severity is the factor of the layer.

    layers: (N, 1, H, W) in [0, 1]. Each sample gets a random layer, cut at a random place, mirrored, turned by up to
    15 degrees and scaled by 0.8 to 1.25; one in five gets a second one on top.
    """
    count, _, height, width = clean.shape
    total = torch.zeros((count, 1, height, width), device=generator.device)
    across, down = width / layers.shape[-1], height / layers.shape[-2]  # how much of a layer a picture covers
    for present in (torch.ones(count, device=generator.device), chance(1 / 5, count, generator)):
        chosen = torch.randint(len(layers), (count,), generator=generator, device=generator.device)
        angle = uniform(-math.pi / 12, math.pi / 12, count, generator)
        zoom = log_uniform(0.8, 1.25, count, generator)
        mirror = 1 - 2 * chance(0.5, count, generator)
        matrix = torch.zeros((count, 2, 3), device=generator.device)
        aspect = layers.shape[-2] / layers.shape[-1]
        matrix[:, 0, 0] = angle.cos() * across * mirror / zoom
        matrix[:, 0, 1] = -angle.sin() * down * aspect / zoom
        matrix[:, 1, 0] = angle.sin() * across / aspect * mirror / zoom
        matrix[:, 1, 1] = angle.cos() * down / zoom
        room = (1 - 1.25 * torch.stack([across / zoom, down / zoom], 1)).clamp_min(
            0
        )  # how far the centre may move with all inside
        matrix[:, :, 2] = (2 * torch.rand((count, 2), generator=generator, device=generator.device) - 1) * room
        grid = F.affine_grid(matrix, [count, 1, height, width], align_corners=False)
        sample = F.grid_sample(layers[chosen], grid, padding_mode="reflection", align_corners=False)
        total = total + match_dims(present, sample) * sample
    return (clean + match_dims(severity.to(clean), clean) * total.to(clean)).clamp(0, 1)
