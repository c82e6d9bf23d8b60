"""What is known of a picture while a prior is trained: holes of many shapes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import chance, log_uniform, uniform
from irflow_cli.degradations.masks import HOLES

POOL = {"thin": 16, "thick": 24, "box": 32, "film": 24}  # drawings of each kind of hole


def draw_known(
    count: int, height: int, width: int, generator: torch.Generator, share: float, holes: Tensor | None = None
) -> Tensor:
    """Return what is known of pictures, (count, 1, H, W), 0 or 1, in a `share` of them anything, of many shapes: single pixels,
    a grid, or all but curves or blots; where `holes` (N, 1, H', W') are given, half of the pictures lack a part of those.

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
    if holes is not None:
        curves = torch.where(kind < 0.84, cut(holes, count, height, width, generator) < 0.5, curves)
    known = torch.where(kind < 0.28, pixels, torch.where(kind < 0.32, lattice, curves))
    return (known & (kind >= 1 - share)).float()


def hole_pool(side: int = 400) -> Tensor:
    """Return what hands and time do to pictures, (N, 1, side, side), bool, True is missing: to be cut from, always the same."""
    drawn = [HOLES[kind](side, side, np.random.default_rng(number)) for kind, count in POOL.items() for number in range(count)]
    return torch.from_numpy(np.stack(drawn))[:, None]


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
    return F.grid_sample(pictures[chosen].float(), grid, mode="nearest", padding_mode="reflection", align_corners=False)


def smooth_noise(height: int, width: int, cell: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise (B, 1, H, W) whose bumps are `cell` (B,) pixels wide, 4 or more."""
    count = len(cell)
    size = (height // 4 + 3, width // 4 + 3)
    points = torch.randn((count, 1, *size), generator=generator, device=generator.device)
    matrix = torch.zeros((count, 2, 3), device=generator.device)  # the part that is shown has a bump every `cell` pixels
    matrix[:, 0, 0], matrix[:, 1, 1] = width / cell / size[1], height / cell / size[0]
    grid = F.affine_grid(matrix, [count, 1, height, width], align_corners=False)
    return F.grid_sample(points, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
