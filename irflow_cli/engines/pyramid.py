"""Pyramids of pictures with a hole: at full size, at half of it and so on, until the hole is shallow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.engines.crops import MARGIN
from irflow_cli.flow.coarse import guess_from, halved

SHALLOW = 4.0  # pixels from what is known, up to which half the size tells nothing
SMALLEST = 32  # pixels of a side from which on half the size is looked at
NEAR = MARGIN // 2  # pixels of picture around a hole at the smaller levels; the crop that is halved first has twice that
MOST = 4  # halvings after which no level has more picture around it

Around = Sequence[tuple[int, int]]  # pixels above and below, left and right


class Level(NamedTuple):
    """Pictures (B, 3, H, W) at one size and what is known of them (B, 1, H, W), 0 or 1. corner: the row and column at which
    they begin in the next smaller level, doubled."""

    picture: Tensor
    known: Tensor
    corner: tuple[int, int]

    @classmethod
    def together(cls, levels: Sequence[Level]) -> Level:
        """Return levels of the same size and corner as one."""
        pictures, known, corners = zip(*levels, strict=True)
        return cls(torch.cat(pictures), torch.cat(known), corners[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """What levels have in common that can be filled together."""
        return (*self.picture.shape[2:], *self.corner)

    def guess(self, found: Tensor) -> Tensor:
        """Return what the pictures begin in, of what was found at the next smaller level (B, 3, h, w)."""
        (top, left), (height, width) = self.corner, self.picture.shape[2:]
        return guess_from(found, top + height, left + width)[..., top:, left:]


def halvings_of(missing: np.ndarray) -> int:
    """Return how often a hole (H, W), bool, has to be halved to be shallow."""
    deepest = float(cv2.distanceTransform(missing.astype(np.uint8), cv2.DIST_L2, 5).max())
    return math.ceil(math.log2(max(deepest / SHALLOW, 1)))


def reach_of(halvings: int) -> int:
    """Return how many pixels around a crop its levels need, for each smaller one to have NEAR of its own around the hole."""
    return 2 * NEAR * (2 ** (min(halvings, MOST) - 1) - 1) if halvings else 0


def pyramid_of(picture: Tensor, known: Tensor, halvings: int, around: Around = ((0, 0), (0, 0))) -> list[Level]:
    """Return the levels of pictures (B, 3, H, W), known (B, 1, H, W), 0 or 1, in part, the largest first. That is all but the
    pixels `around`; every smaller one sees as many of these as `reach_of` says, at its own size."""
    levels: list[Level] = []
    for number in range(halvings + 1):
        rows, columns = (slice(before, size - after) for (before, after), size in zip(around, known.shape[2:], strict=True))
        own = NEAR if number else 0  # half of the margin that the crop itself has is NEAR already
        below = [(max(0, before - own) // 2, max(0, after - own) // 2) for before, after in around]
        corner = rows.start - 2 * below[0][0], columns.start - 2 * below[1][0]
        levels.append(Level(picture[..., rows, columns], known[..., rows, columns], corner))
        if number == halvings or min(levels[-1].known.shape[2:]) < SMALLEST:
            break
        picture, known = halved(picture, known)
        around = below
    return levels
