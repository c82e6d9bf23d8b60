"""Patches: how alike two places of a picture are, the most alike place to each of many, and what patches say together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 3  # pixels from a patch's centre to its edge
SIDE = 2 * REACH + 1
NUMBERS = 24  # that say what a patch looks like: the directions in which the picture's patches differ most
SEEN = 4000  # patches from which those directions are learned
PAIRS = 2**25  # up to so many pairs are all compared
STEPS = (1, 4, 16, 2, 1)  # pixels away, the neighbours whose finds are tried
TOGETHER = 2**22  # pairs compared at a time
AROUND = [(dy, dx) for dy in range(-REACH, REACH + 1) for dx in range(-REACH, REACH + 1)]


@dataclass(frozen=True)
class Places:
    """What is looked for, and where.

    centres: (N, 2) int64, rows and columns of the patches that touch the hole, all of each inside the picture. number: (H, W)
    int64, which of them has its centre there, -1 none. allowed: (H, W) bool, centres of patches that are wholly known.
    """

    centres: Tensor
    number: Tensor
    allowed: Tensor

    @classmethod
    def around(cls, hole: np.ndarray, known: np.ndarray) -> Places:
        """Return the places of a hole (H, W), bool; known (H, W), bool, is what may be copied."""
        inner = np.zeros(hole.shape, bool)
        inner[REACH : hole.shape[0] - REACH, REACH : hole.shape[1] - REACH] = True
        square = np.ones((SIDE, SIDE), np.uint8)
        centres = np.argwhere((cv2.dilate(hole.view(np.uint8), square) > 0) & inner)
        allowed = (cv2.erode(known.astype(np.uint8), square) > 0) & inner
        number = np.full(hole.shape, -1)
        number[centres[:, 0], centres[:, 1]] = np.arange(len(centres))
        return cls(torch.from_numpy(centres), torch.from_numpy(number), torch.from_numpy(allowed))

    def flat(self, places: Tensor) -> Tensor:
        """Return places (N, 2) as indices of the picture's pixels, those outside of it as the nearest inside."""
        height, width = self.number.shape
        return places[:, 0].clamp(0, height - 1) * width + places[:, 1].clamp(0, width - 1)

    def valid(self, places: Tensor) -> Tensor:
        """Return which places (N, 2) are allowed."""
        height, width = self.number.shape
        within = (places[:, 0] >= 0) & (places[:, 0] < height) & (places[:, 1] >= 0) & (places[:, 1] < width)
        return within & self.allowed.flatten()[self.flat(places)]

    def anywhere(self, generator: torch.Generator) -> Tensor:
        """Return an allowed place for every centre, (N, 2), at random."""
        there = self.allowed.nonzero()
        return there[torch.randint(len(there), (len(self.centres),), generator=generator)]


def directions(features: Tensor, allowed: Tensor, generator: torch.Generator) -> Tensor:
    """Return NUMBERS filters, (n, C, SIDE, SIDE): the directions in which the allowed patches of (C, H, W) differ most."""
    there = allowed.nonzero()
    there = there[torch.randperm(len(there), generator=generator)[:SEEN]]
    across = torch.arange(-REACH, REACH + 1)
    rows, columns = there[:, :1, None] + across[:, None], there[:, 1:, None] + across
    found = features[:, rows, columns].transpose(0, 1).flatten(1)
    found = found - found.mean(0)
    most = torch.linalg.svd(found.T @ found)[2][:NUMBERS]
    return most.reshape(-1, len(features), SIDE, SIDE)


def described(features: Tensor, filters: Tensor) -> Tensor:
    """Return what the patch around every pixel of (C, H, W) looks like, (H * W, n)."""
    padded = F.pad(features[None], (REACH,) * 4, mode="replicate")
    return F.conv2d(padded, filters)[0].flatten(1).T.contiguous()


def nearest(wanted: Tensor, looks: Tensor, places: Places, start: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return for every centre the way (N, 2) to an allowed place that looks most like what is wanted (N, n), and how unlike it
    is, the squared distance (N,).

    looks: (H * W, n). Where there are few pairs all are compared; else ways from `start` on are improved by those of
    neighbours and by chance (PatchMatch, Barnes et al. 2009, all pixels at once).
    """
    if len(wanted) * int(places.allowed.sum()) <= PAIRS:
        return _nearest_of_all(wanted, looks, places)

    def unlike(ways: Tensor) -> Tensor:
        there = places.centres + ways
        apart = (looks[places.flat(there)] - wanted).square().sum(1)
        return torch.where(places.valid(there), apart, torch.inf)

    ways, least = start, unlike(start)

    def tried(candidates: Tensor) -> None:
        nonlocal ways, least
        apart = unlike(candidates)
        better = apart < least
        ways, least = torch.where(better[:, None], candidates, ways), torch.where(better, apart, least)

    itself = torch.arange(len(wanted))
    for step in STEPS:
        for side in ((0, step), (0, -step), (step, 0), (-step, 0)):
            beside = places.number.flatten()[places.flat(places.centres + torch.tensor(side))]
            tried(ways[torch.where(beside < 0, itself, beside)])
    radius = max(places.number.shape) // 2
    while radius >= 1:
        tried(ways + torch.randint(-radius, radius + 1, ways.shape, generator=generator))
        radius //= 3
    return ways, least


def _nearest_of_all(wanted: Tensor, looks: Tensor, places: Places) -> tuple[Tensor, Tensor]:
    there = places.allowed.nonzero()
    offered = looks[places.flat(there)]
    norms, best, least = offered.square().sum(1), [], []
    for some in wanted.split(max(1, TOGETHER // len(there))):
        found = (norms - 2 * some @ offered.T).min(1)
        best.append(found.indices)
        least.append(found.values + some.square().sum(1))
    return there[torch.cat(best)] - places.centres, torch.cat(least).clamp_min(0)


def voted(features: np.ndarray, hole: np.ndarray, places: Places, ways: Tensor, weights: Tensor) -> np.ndarray:
    """Return features (H, W, C) with the hole (H, W) filled: every pixel is the weighted mean of what the patches over it say,
    where each stands for the patch its way (N, 2) leads to (Wexler et al. 2007)."""
    inside = torch.from_numpy(np.argwhere(hole))
    offered = torch.from_numpy(features).flatten(0, 1)
    total, weight = torch.zeros(len(inside), offered.shape[1]), torch.zeros(len(inside), 1)
    number, (height, width) = places.number.flatten(), hole.shape
    for side in AROUND:
        centre = inside + torch.tensor(side)
        within = (centre[:, 0] >= 0) & (centre[:, 0] < height) & (centre[:, 1] >= 0) & (centre[:, 1] < width)
        which = torch.where(within, number[places.flat(centre)], -1)
        share = torch.where(which >= 0, weights[which.clamp_min(0)], 0)[:, None]
        total += share * offered[places.flat(inside + ways[which.clamp_min(0)])]
        weight += share
    filled = features.copy()
    filled[hole] = (total / weight.clamp_min(1e-12)).numpy()
    return filled
