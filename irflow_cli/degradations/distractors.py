"""What is not rain but looks like it: lines of things, drawn into clean pictures before the rain (hard negatives).

A network that saw rain on lawns and walls alone takes fences, cables and window bars for rain. These belong to the clean
picture, so training on them teaches to leave them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from irflow_cli.degradations.draw import chance, log_uniform, smooth_map, uniform
from irflow_cli.tensors import match_dims

CABLES = 5  # separate lines a picture holds at the most
LETTERS = 48  # cells a side of the sheet that marks are cut from


def distractors(clean: Tensor, generator: torch.Generator) -> Tensor:
    """Return clean pictures (B, 1 or 3, H, W) with lines of things in them: every picture gets one kind or more.

    Kinds: bars (fences, railings, stalks, lattices, window grids), cables (separate lines, straight or bent: wires,
    branches, thin highlights), marks (like text). All widths from under a pixel to a sixth of the picture, all directions
    though mostly upright and level, bright and dark, sharp and soft. The result is in [0, 1].
    """
    count, _, height, width = clean.shape
    device = generator.device
    rows = torch.arange(float(height), device=device)[:, None] - height / 2
    columns = torch.arange(float(width), device=device)[None, :] - width / 2
    light = 1 + 0.15 * smooth_map(count, height, width, 4, generator)
    kind = uniform(0, 1, count, generator)
    picture = clean.to(device)
    cables = match_dims(((kind > 0.45) & (kind < 0.9)).float(), picture)
    for _ in range(CABLES):
        cover, shade = _cable(rows, columns, count, generator)
        cover = cover * cables * match_dims(chance(0.6, count, generator), picture)
        picture = _painted(picture, cover, shade * light, generator)
    cover, shade = _bars(rows, columns, count, generator)
    picture = _painted(picture, cover * match_dims((kind < 0.6).float(), picture), shade * light, generator)
    cover = _marks(rows, columns, count, generator)
    picture = _painted(picture, cover * match_dims((kind > 0.85).float(), picture), light, generator)
    return picture.clamp(0, 1).to(clean)


def _painted(picture: Tensor, cover: Tensor, shade: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture with one colour a picture laid over it, where `cover` (B, 1, H, W) is 1; mostly near black or white.

    The colour is a grey with a part of the picture's own colour, so grey pictures stay grey. One in five shines through.
    """
    count = len(picture)
    own = picture.mean((2, 3), keepdim=True)
    grey = uniform(0, 1, count, generator)
    ends = chance(0.7, count, generator)
    grey = match_dims(grey + ends * 0.35 * torch.sign(grey - 0.5), picture).clamp(0, 1)
    colour = grey + match_dims(uniform(-1, 1, count, generator), picture) * (own - own.mean(1, keepdim=True))
    opaque = 1 - chance(0.2, count, generator) * uniform(0.1, 0.7, count, generator)
    return picture + cover * match_dims(opaque, picture) * (colour * shade - picture)


def _bars(rows: Tensor, columns: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return cover and shade, (B, 1, H, W), of parallel bars, in two of five pictures of two sets that cross."""
    turn = _direction(count, generator)
    # a second set: across the first, or as the wires of a mesh
    mesh = chance(0.35, count, generator)
    second = turn + math.pi / 2 + mesh * uniform(-0.9, 0.9, count, generator)
    period = log_uniform(5, 70, count, generator)
    cover, shade = _set_of_bars(rows, columns, turn, period, generator)
    wider = period * (mesh + (1 - mesh) * log_uniform(0.7, 6, count, generator))
    cross, cross_shade = _set_of_bars(rows, columns, second, wider, generator)
    cross = cross * match_dims(chance(0.4, count, generator), cross)
    return torch.maximum(cover, cross), torch.where(cover > cross, shade, cross_shade)


def _set_of_bars(
    rows: Tensor, columns: Tensor, turn: Tensor, period: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return cover and shade of bars `period` pixels apart, turned by `turn` from the vertical.

    Some come closer with distance, some bend, some are of uneven width, place and shade (stalks), some end at a line.
    """
    count, size = len(turn), max(rows.shape[0], columns.shape[1])

    def drawn(low: float, high: float, share: float = 1.0) -> Tensor:
        return (uniform(low, high, count, generator) * chance(share, count, generator))[:, None, None, None]

    across, along = _turned(rows, columns, turn)
    across = across * (1 + drawn(-0.7, 0.7, 0.4) * along / size)  # perspective
    across = across + drawn(0, 3, 0.3) * torch.sin(along * drawn(0.02, 0.2) + drawn(0, 6.3))
    step = period[:, None, None, None]
    place = across / step + drawn(0, 1)
    bar = place.floor()
    uneven = drawn(0, 1, 0.5)
    centre = 0.5 + 0.4 * uneven * (_scattered(bar, 1) - 0.5)
    breadth = (step * log_uniform(0.05, 0.6, count, generator)[:, None, None, None]).clamp_min(0.8)
    breadth = breadth * (1 - 0.6 * uneven * _scattered(bar, 2))
    distance = ((place - bar - centre) * step).abs()
    soft = log_uniform(0.8, 4, count, generator)[:, None, None, None]
    cover = ((breadth / 2 - distance) / soft + 0.5).clamp(0, 1)
    reach = (uniform(-0.4, 0.5, count, generator) + 2 * chance(0.5, count, generator))[:, None, None, None]
    top = (reach + 0.3 * uneven * (_scattered(bar, 3) - 0.5)) * size
    cover = cover * (top - along + 0.5).clamp(0, 1)
    shade = 1 - drawn(0, 0.6, 0.5) * (distance / breadth) - 0.4 * uneven * (_scattered(bar, 4) - 0.5)
    return cover, shade


def _cable(rows: Tensor, columns: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return cover and shade of one line a picture, anywhere, of any direction, bent in half of them."""
    size = max(rows.shape[0], columns.shape[1])

    def drawn(low: float, high: float) -> Tensor:
        return uniform(low, high, count, generator)[:, None, None, None]

    across, along = _turned(rows, columns, uniform(0, math.pi, count, generator))
    bent = match_dims(chance(0.5, count, generator), across) * drawn(-0.6, 0.6) / size
    distance = (across - drawn(-0.5, 0.5) * size + bent * along**2).abs() / (1 + 2 * (bent * along).abs())
    breadth = match_dims(log_uniform(0.6, 10, count, generator), across)
    soft = match_dims(log_uniform(0.8, 3, count, generator), across)
    cover = ((breadth / 2 - distance) / soft + 0.5).clamp(0, 1) * breadth.clamp(max=1)
    half = match_dims(log_uniform(0.05, 1.5, count, generator), across) * size  # of its length
    cover = cover * (half - (along - drawn(-0.4, 0.4) * size).abs() + 0.5).clamp(0, 1)
    return cover, 1 - drawn(0, 0.5) * (distance / breadth).clamp(max=1)


def _marks(rows: Tensor, columns: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return the cover of marks in lines, like text: strokes of random glyphs 4 cells wide and 6 high, with gaps."""
    device = generator.device
    sheet = torch.rand((count, LETTERS * LETTERS), generator=generator, device=device) < 0.5
    turn = chance(0.3, count, generator) * math.pi / 2 + 0.1 * torch.randn(count, generator=generator, device=device)
    across, along = _turned(rows, columns, turn)
    cell = match_dims(log_uniform(1, 6, count, generator), across)
    column, row = (across / cell).floor() % LETTERS, (along / cell).floor() % LETTERS
    page = (along / along.shape[-2] - match_dims(uniform(-0.5, 0.5, count, generator), across)).abs()
    inside = (column % 6 < 4) & (row % 8 < 6) & (page < match_dims(log_uniform(0.05, 1, count, generator), across))
    index = (row * LETTERS + column).long().flatten(1)
    return (sheet.gather(1, index).view_as(across) & inside).to(rows.dtype)


def _direction(count: int, generator: torch.Generator) -> Tensor:
    """Return angles from the vertical, (B,): near it in half of the pictures, near the horizontal in a fifth, else any."""
    kind = uniform(0, 1, count, generator)
    near = 0.05 * torch.randn(count, generator=generator, device=generator.device)
    straight = near + math.pi / 2 * (kind > 0.5)
    return torch.where(kind < 0.7, straight, uniform(0, math.pi, count, generator))


def _turned(rows: Tensor, columns: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates across and along a direction `turn` (B,) from the vertical, each (B, 1, H, W)."""
    cosine, sine = turn.cos()[:, None, None, None], turn.sin()[:, None, None, None]
    return columns * cosine - rows * sine, rows * cosine + columns * sine


def _scattered(number: Tensor, salt: int) -> Tensor:
    """Return a value in [0, 1) that belongs to each whole number, without order."""
    return (torch.sin(number * 12.9898 + salt * 78.233) * 43758.5453).frac().abs()
