"""Layers of streaks: sparse points smeared along a direction, with lengths, widths and brightness drawn from ranges."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from irflow_cli.degradations.draw import chance, log_uniform, smooth_map, uniform
from irflow_cli.tensors import match_dims, to_device

DIRECTIONS = 3  # layers of one picture, each with a direction, a length and a width of its own


class Look(NamedTuple):
    """Ranges, (least, most), from which the streaks of one picture are drawn. Sizes and amounts are log-uniform.

    length, breadth: pixels. cover: how many streaks lie over a pixel in the mean, at severity 1. bright: the light a streak
    adds, of 1. hard: steepness of its two ends, per pixel. blur: standard deviation of an out-of-focus blur, pixels. tilt:
    radians from the vertical. spread: radians by which the directions of one picture differ. patchy: how much closer the
    streaks stand in some places than in others, of 1.
    """

    length: tuple[float, float]
    breadth: tuple[float, float]
    cover: tuple[float, float]
    bright: tuple[float, float]
    hard: tuple[float, float]
    blur: tuple[float, float]
    tilt: tuple[float, float]
    spread: tuple[float, float]
    patchy: tuple[float, float]


class Streaks(NamedTuple):
    """The fields of `Look`, drawn: one value a picture, (B,)."""

    length: Tensor
    breadth: Tensor
    cover: Tensor
    bright: Tensor
    hard: Tensor
    blur: Tensor
    tilt: Tensor
    spread: Tensor
    patchy: Tensor


def draw_look(looks: tuple[Look, ...], count: int, generator: torch.Generator) -> Streaks:
    """Return streaks for `count` pictures, each after one of the looks, all equally likely."""
    device = generator.device
    logs = [name not in ("blur", "tilt", "spread", "patchy") for name in Look._fields]
    ranges = [[[math.log(end) if log else end for end in pair] for pair, log in zip(look, logs, strict=True)] for look in looks]
    low, high = to_device(ranges, device).unbind(2)
    chosen = torch.randint(len(looks), (count,), generator=generator, device=device)
    share = torch.rand((count, len(logs)), generator=generator, device=device)
    values = torch.lerp(low[chosen], high[chosen], share).unbind(1)
    return Streaks(*(value.exp() if log else value for value, log in zip(values, logs, strict=True)))


def streak_layer(height: int, width: int, streaks: Streaks, amount: Tensor, scale: float, generator: torch.Generator) -> Tensor:
    """Return B layers of one direction each, (B, H, W // 2 + 1), as spectra of real layers (H, W) periodic at their edges.

    amount, (B, 1, H, W), multiplies the number of streaks from place to place; scale multiplies sizes in pixels. A streak
    has a brightness of its own, between 0.3 and 1 of `bright`.
    """
    device, count = generator.device, len(streaks.length)
    rows = torch.fft.fftfreq(height, 1 / height, device=device)[:, None]
    columns = torch.fft.fftfreq(width, 1 / width, device=device)[None, :]
    tilt, length, breadth, hard = (
        value[:, None, None] for value in (streaks.tilt, streaks.length * scale, streaks.breadth * scale, streaks.hard)
    )
    cosine, sine = tilt.cos(), tilt.sin()
    along, across = rows * cosine + columns * sine, columns * cosine - rows * sine
    line = torch.sigmoid((length / 2 - along.abs()) * hard / scale)
    line = line * ((breadth + 1) / 2 - across.abs()).clamp(0, 1).minimum(breadth)
    density = (streaks.cover[:, None, None] * amount[:, 0] / line.sum((1, 2), keepdim=True)).clamp(1e-9, 1)
    draw = torch.rand((count, height, width), generator=generator, device=device) / density
    points = torch.where(draw < 1, 0.3 + 0.7 * draw, 0.0)
    gain = streaks.bright[:, None, None] / 0.65
    frequency = torch.fft.fftfreq(height, device=device)[:, None] ** 2 + torch.fft.rfftfreq(width, device=device) ** 2
    focus = torch.exp(-2 * (math.pi * scale * streaks.blur[:, None, None]) ** 2 * frequency)
    return torch.fft.rfft2(points) * torch.fft.rfft2(line) * (gain * focus)


def draw_streaks(looks: tuple[Look, ...], size: tuple[int, int], strength: Tensor, generator: torch.Generator) -> Tensor:
    """Return the light of streaks, (B, 1, H, W) in [0, 1), of one to three directions a picture; more `strength`, more streaks.

    Where streaks overlap their light adds up as 1 - exp(-sum): the brightest places of real layers are darker than a sum.
    """
    (height, width), count = size, len(strength)
    scale = max(1.0, min(size) / 400)  # streaks keep their share of a large picture
    main = draw_look(looks, count, generator)
    patches = smooth_map(count, height, width, 3, generator)
    amount = (1 + match_dims(main.patchy, patches) * patches).clamp_min(0.05)
    shares = [torch.ones(count, device=generator.device)]
    shares += [chance(0.6, count, generator) * uniform(0.1, 1, count, generator) for _ in range(DIRECTIONS - 1)]
    total = torch.stack(shares).sum(0)
    spectrum: Tensor | float = 0.0
    for share in shares:
        wide = 1 + 2 * chance(0.2, count, generator)
        one = main._replace(
            tilt=main.tilt + main.spread * uniform(-1, 1, count, generator) * wide,
            length=main.length * log_uniform(0.35, 1.5, count, generator),
            breadth=main.breadth * log_uniform(0.8, 1.25, count, generator),
            cover=main.cover * share / total * strength,
        )
        spectrum = spectrum + streak_layer(height, width, one, amount, scale, generator)
    return 1 - torch.exp(-torch.fft.irfft2(spectrum, s=size).clamp_min(0)).unsqueeze(1)
