"""What is known of a picture while a prior is trained: holes of many shapes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import chance, log_uniform, uniform
from irflow_cli.degradations.film import film

STROKES, PIECES = 14, 4  # in a picture, at the most, and the straight parts of each
SHARING = 4  # pictures of a batch to one drawing of strokes or boxes, which take long to draw


def draw_known(
    count: int, height: int, width: int, generator: torch.Generator, share: float, holes: Tensor | None = None
) -> Tensor:
    """Return what is known of pictures, (count, 1, H, W), 0 or 1, in a `share` of them anything, of many shapes: single pixels,
    a grid, all but strokes, boxes, curves or blots, all but `holes` (N, 1, H', W'), 0 or 1, where they are given.

    Curves and blots are where smooth noise of a random scale is near to zero, or large.
    """
    device = generator.device

    def each(low: float, high: float) -> Tensor:
        return uniform(low, high, count, generator)[:, None, None, None]

    kind, part = each(0, 1), each(0, 1)
    pixels = torch.rand((count, 1, height, width), generator=generator, device=device) < 0.03 + 0.6 * part**1.5
    step = each(2, 5).floor()
    rows, columns = torch.arange(height, device=device)[:, None], torch.arange(width, device=device)
    lattice = (rows % step == 0) & (columns % step == 0)
    bumps = smooth_noise(height, width, log_uniform(4, 48, count, generator), generator)
    bumps = torch.where(kind < 0.92, bumps.abs(), bumps)
    missing = ((0.03 + 0.4 * part) * (height * width - 1)).long()
    least = bumps.flatten(1).sort(1).values.gather(1, missing.flatten(1))
    curves = bumps > least[:, :, None, None]
    few = -(-count // SHARING)
    chosen = torch.randint(few, (count,), generator=generator, device=device)
    drawn = ~torch.where(kind < 0.5, *(shape(few, height, width, generator)[chosen] for shape in (strokes, boxes)))
    if holes is not None:
        curves = torch.where((kind > 0.74) & (kind < 0.84), cut(holes, count, height, width, generator) < 0.5, curves)
    known = torch.where(kind < 0.28, pixels, torch.where(kind < 0.32, lattice, torch.where(kind < 0.74, drawn, curves)))
    return (known & (kind >= 1 - share)).float()


def strokes(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Return bent strokes of a brush, (count, 1, height, width), bool: many thin ones or a few thick ones, up to a quarter of
    the picture wide."""
    device, side = generator.device, min(height, width)

    def each(low: float, high: float, *shape: int) -> Tensor:
        return uniform(low, high, count * math.prod(shape), generator).view(count, *(shape or (1, 1, 1)))

    thick = chance(0.4, count, generator).view(-1, 1, 1, 1)
    radius = torch.lerp(each(0.006, 0.025), each(0.03, 0.13), thick)
    number = torch.lerp(each(2, STROKES), each(1, 3), thick)[..., 0].ceil()
    turn = each(-1, 1, STROKES, PIECES).cumsum(2) + each(0, 2 * math.pi, STROKES, 1)
    length = each(0.02, 0.25, STROKES, PIECES)
    nearest = torch.full((count, height, width), torch.inf, device=device)
    there = torch.arange(STROKES, device=device)[:, None] < number
    steps = [length * turn.sin(), length * turn.cos()]
    ends = [step.cumsum(2) + each(0, full / side, STROKES, 1) for step, full in zip(steps, (height, width), strict=True)]
    rows = torch.arange(height, device=device)[:, None] / side
    columns = torch.arange(width, device=device) / side
    for piece in range(PIECES):
        down, right = (step[:, :, piece, None, None] for step in steps)
        y, x = (axis - end[:, :, piece, None, None] for axis, end in zip((rows, columns), ends, strict=True))
        back = (-(y * down + x * right) / (down.square() + right.square())).clamp(0, 1)
        away = (y + back * down).square() + (x + back * right).square()
        nearest = torch.minimum(nearest, torch.where(there[..., None], away, torch.inf).amin(1))
    return nearest[:, None] < radius.square()


def boxes(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Return one to four upright rectangles, (count, 1, height, width), bool, of up to 0.6 of the picture's sides; for one in
    four of them a tilted ellipse of that size."""
    device = generator.device
    rows = torch.linspace(0, 1, height, device=device)[:, None]
    columns = torch.linspace(0, 1, width, device=device)[None]
    inside = torch.zeros((count, height, width), dtype=torch.bool, device=device)

    def each(low: float, high: float) -> Tensor:
        return uniform(low, high, count, generator)[:, None, None]

    number = each(1, 5).floor()
    for one in range(4):
        y, x = rows - each(0, 1), columns - each(0, 1)
        high, wide, lean = each(0.04, 0.3), each(0.04, 0.3), each(-0.7, 0.7)
        box = (y.abs() < high) & (x.abs() < wide)
        ellipse = (y / high).square() + ((x - lean * y) / wide).square() < 1
        inside = inside | torch.where(chance(0.25, count, generator)[:, None, None] > 0, ellipse, box) & (one < number)
    return inside[:, None]


def film_holes(count: int = 48, side: int = 400) -> Tensor:
    """Return the damage of scanned film, (count, 1, side, side), 1 is missing: to be cut from, always the same."""
    return torch.stack(
        [torch.from_numpy(film(side, side, np.random.default_rng(number))).float()[None] for number in range(count)]
    )


def cut(pictures: Tensor, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Return random parts of random `pictures` (N, C, H', W'), (count, C, height, width), shown at 0.7 to 1.6 of their size,
    mirrored or not. Beyond an edge they are mirrored."""
    chosen = torch.randint(len(pictures), (count,), generator=generator, device=generator.device)
    size = (width / pictures.shape[3], height / pictures.shape[2])
    zoom = log_uniform(0.7, 1.6, count, generator)
    matrix = torch.zeros((count, 2, 3), device=generator.device)
    for axis in (0, 1):
        matrix[:, axis, axis] = size[axis] / zoom * (1 - 2 * chance(0.5, count, generator))
        matrix[:, axis, 2] = uniform(-1, 1, count, generator) * (1 - size[axis] / zoom).clamp_min(0)
    grid = F.affine_grid(matrix, [count, 1, height, width], align_corners=False)
    return F.grid_sample(pictures[chosen], grid, mode="nearest", padding_mode="reflection", align_corners=False)


def smooth_noise(height: int, width: int, cell: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise (B, 1, H, W) whose bumps are `cell` (B,) pixels wide, 4 or more."""
    count = len(cell)
    size = (height // 4 + 3, width // 4 + 3)
    points = torch.randn((count, 1, *size), generator=generator, device=generator.device)
    matrix = torch.zeros((count, 2, 3), device=generator.device)  # the part that is shown has a bump every `cell` pixels
    matrix[:, 0, 0], matrix[:, 1, 1] = width / cell / size[1], height / cell / size[0]
    grid = F.affine_grid(matrix, [count, 1, height, width], align_corners=False)
    return F.grid_sample(points, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
