"""Rain: streaks drawn by us, or taken from layers in files, added to the picture; optionally a veil of haze."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import chance, log_uniform, uniform
from irflow_cli.tensors import match_dims


def streak_layer(
    height: int, width: int, angle: Tensor, length: Tensor, breadth: Tensor, density: Tensor, generator: torch.Generator
) -> Tensor:
    """Return B layers of parallel streaks, (B, 1, H, W) in [0, 1], periodic at their edges.

    angle (radians from the vertical), length and breadth (pixels) and density (share of pixels where a streak is
    centred) are (B,). Every streak has a brightness of its own. Drawn as sparse points convolved with a soft-edged
    line, by FFT.
    """
    device, count = generator.device, angle.shape[0]
    points = torch.rand((count, height, width), generator=generator, device=device)
    bright = torch.rand((count, height, width), generator=generator, device=device)
    points = (points < density[:, None, None]).float() * (0.25 + 0.75 * bright)
    rows = torch.fft.fftfreq(height, 1 / height, device=device)[:, None]
    columns = torch.fft.fftfreq(width, 1 / width, device=device)[None, :]
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along, across = rows * cosine + columns * sine, columns * cosine - rows * sine
    line = torch.sigmoid((length[:, None, None] / 2 - along.abs()) * 0.8)
    line = line * torch.sigmoid((breadth[:, None, None] / 2 - across.abs()) * 4)
    layer = torch.fft.irfft2(torch.fft.rfft2(points) * torch.fft.rfft2(line), s=(height, width))
    return layer.clamp(0, 1).unsqueeze(1)


def streaks(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return rain of one to three directions: sparse thin lines at severity 0.2, a downpour at 1.

    Direction, length, width, density and brightness differ from picture to picture; one in four is mixed in as a
    translucent cover instead of added light, one in eight lies behind a veil of haze. The result is clipped to [0, 1].
    """
    count, _, height, width = clean.shape
    strength = severity.to(generator.device)
    scale = max(1.0, min(height, width) / 400)  # streaks keep their share of a large picture
    tilt = uniform(-0.7, 0.7, count, generator)
    layers = torch.zeros((count, 1, height, width), device=generator.device)
    for index in range(3):
        present = 1.0 if index == 0 else chance(0.5, count, generator) * (strength > 0.3)
        layer = streak_layer(
            height,
            width,
            tilt + uniform(-0.12, 0.12, count, generator) * (1 + 2.5 * chance(0.2, count, generator)),
            log_uniform(8, 70, count, generator) * scale,
            log_uniform(0.8, 4.0, count, generator) * scale,
            log_uniform(3e-4, 8e-3, count, generator) * strength.clamp(0, 1) / scale**2,
            generator,
        )
        layers = layers + match_dims(present * uniform(0.25, 1.0, count, generator), layers) * layer
    layers = (layers * match_dims(strength.clamp(max=1).sqrt(), layers)).clamp(max=1).to(clean)
    cover = match_dims(chance(0.25, count, generator).to(clean), clean)
    veil = chance(0.125, count, generator) * uniform(0.0, 0.3, count, generator) * strength.clamp(0, 1)
    veil, air = match_dims(veil.to(clean), clean), match_dims(uniform(0.6, 0.95, count, generator).to(clean), clean)
    hazy = clean + veil * (air - clean)
    rainy = torch.where(cover > 0, hazy + layers * (0.95 - hazy), hazy + layers)
    return torch.where(match_dims(strength.to(clean), clean) > 0, rainy.clamp(0, 1), clean)


def from_layers(clean: Tensor, severity: Tensor, generator: torch.Generator, layers: Tensor) -> Tensor:
    """Return clean plus rain layers from files, clipped to [0, 1]; severity is the factor of the layer.

    layers: (N, 1, H, W) in [0, 1]. Each sample gets a random layer, cut at a random place, mirrored, turned by up to
    15 degrees and scaled by 0.8 to 1.25; one in five gets a second one on top.
    """
    count, _, height, width = clean.shape
    total = torch.zeros((count, 1, height, width), device=generator.device)
    reach = torch.tensor([width / layers.shape[-1], height / layers.shape[-2]], device=generator.device)
    for present in (torch.ones(count, device=generator.device), chance(1 / 5, count, generator)):
        chosen = torch.randint(len(layers), (count,), generator=generator, device=generator.device)
        angle = uniform(-math.pi / 12, math.pi / 12, count, generator)
        zoom = log_uniform(0.8, 1.25, count, generator)
        mirror = 1 - 2 * chance(0.5, count, generator)
        matrix = torch.zeros((count, 2, 3), device=generator.device)
        aspect = layers.shape[-2] / layers.shape[-1]
        matrix[:, 0, 0] = angle.cos() * reach[0] * mirror / zoom
        matrix[:, 0, 1] = -angle.sin() * reach[1] * aspect / zoom
        matrix[:, 1, 0] = angle.sin() * reach[0] / aspect * mirror / zoom
        matrix[:, 1, 1] = angle.cos() * reach[1] / zoom
        room = (1 - 1.25 * reach / zoom[:, None]).clamp_min(0)  # how far the centre may move with all inside
        matrix[:, :, 2] = (2 * torch.rand((count, 2), generator=generator, device=generator.device) - 1) * room
        grid = F.affine_grid(matrix, [count, 1, height, width], align_corners=False)
        sample = F.grid_sample(layers[chosen], grid, padding_mode="reflection", align_corners=False)
        total = total + match_dims(present, sample) * sample
    return (clean + match_dims(severity.to(clean), clean) * total.to(clean)).clamp(0, 1)
