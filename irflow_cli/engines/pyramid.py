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
from irflow_cli.engines.views import view_of
from irflow_cli.flow.coarse import guess_from, halved

SHALLOW = 4.0  # pixels from what is known, up to which half the size tells nothing
SMALLEST = 32  # pixels of a side from which on half the size is looked at
NEAR = MARGIN // 2  # pixels of picture around a hole at the smaller levels; the crop that is halved first has twice that
MOST = 4  # halvings after which no level has more picture around it

Around = tuple[tuple[int, int], ...]  # pixels above and below, left and right


class Level(NamedTuple):
    """Pictures (B, 3, H, W) at one size and what is known of them (B, 1, H, W), 0 or 1. around: pixels at their edges that only
    smaller levels see. halvings: how many of those there may be. further: how far the next one sees beyond this one's inner
    part."""

    picture: Tensor
    known: Tensor
    around: Around = ((0, 0), (0, 0))
    halvings: int = 0
    further: int = 0

    @classmethod
    def together(cls, levels: Sequence[Level]) -> Level:
        """Return levels of the same kind as one."""
        pictures, known, *same = zip(*levels, strict=True)
        return cls(torch.cat(pictures), torch.cat(known), *(one[0] for one in same))

    @property
    def kind(self) -> tuple[object, ...]:
        """What levels have in common that can be filled together."""
        return (*self.picture.shape[2:], *self.around, self.halvings)

    @property
    def inner(self) -> tuple[Tensor, Tensor]:
        """The inner part of the pictures, that is to be filled, and what is known of it."""
        sizes = self.known.shape[2:]
        rows, columns = (slice(before, size - after) for (before, after), size in zip(self.around, sizes, strict=True))
        return self.picture[..., rows, columns], self.known[..., rows, columns]

    def seen(self, view: int) -> Level:
        """Return the level turned and mirrored as `view_of` does."""
        (top, bottom), (left, right) = self.around
        if view >= 4:
            left, right = right, left
        for _ in range(view % 4):
            top, bottom, left, right = right, left, top, bottom
        picture, known = view_of(self.picture, view), view_of(self.known, view)
        return self._replace(picture=picture, known=known, around=((top, bottom), (left, right)))

    def smaller(self) -> Level | None:
        """Return the level at half the size, None where there is nothing more to see. All its pictures are there twice (2B):
        halved from the first pixel on, and from one before it, so that other pixels are taken together."""
        if not self.halvings or min(self.inner[1].shape[2:]) < SMALLEST:
            return None
        height, width = self.known.shape[2:]
        rows, columns = ((torch.arange(size + size % 2) - 1).clamp_min(0) for size in (height, width))
        halves = [halved(self.picture, self.known)]
        halves.append(halved(self.picture[..., rows[:, None], columns], self.known[..., rows[:, None], columns]))
        picture, known = (torch.cat(both) for both in zip(*halves, strict=True))
        return Level(picture, known, self._around_smaller(), self.halvings - 1, NEAR)

    def guess(self, found: Tensor) -> Tensor:
        """Return what the inner part (B, 3, h, w) begins in, of what was found of that of `smaller` (2B, 3, h', w')."""
        sizes = self.inner[1].shape[2:]
        corner = [before - 2 * less for (before, _), (less, _) in zip(self.around, self._around_smaller(), strict=True)]
        total, doubles = torch.zeros(()), [2 * side for side in found.shape[2:]]
        for moved, part in enumerate(guess_from(found, *doubles).chunk(2)):
            rows, columns = (
                (torch.arange(start, start + size) + moved).clamp(max=double - 1)
                for start, size, double in zip(corner, sizes, doubles, strict=True)
            )
            total = total + part[..., rows[:, None], columns]
        return total / 2

    def _around_smaller(self) -> Around:
        return tuple((max(0, before - self.further) // 2, max(0, after - self.further) // 2) for before, after in self.around)


def halvings_of(missing: np.ndarray) -> int:
    """Return how often a hole (H, W), bool, has to be halved to be shallow."""
    deepest = float(cv2.distanceTransform(missing.astype(np.uint8), cv2.DIST_L2, 5).max())
    return math.ceil(math.log2(max(deepest / SHALLOW, 1)))


def reach_of(halvings: int) -> int:
    """Return how many pixels around a crop its levels need, for each smaller one to have NEAR of its own around the hole."""
    return 2 * NEAR * (2 ** (min(halvings, MOST) - 1) - 1) if halvings else 0
