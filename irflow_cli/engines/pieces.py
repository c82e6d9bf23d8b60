"""Pieces: ways from a hole to the rest of the picture, made few and large, carried up to full size and blended."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.engines.patches import AROUND, REACH, Places

STEPS = (1, 2, 4, 8)  # pixels away, from where ways are taken over at the smallest scale, and how often
SWEEPS = 4
BAND = 3  # pixels on both sides of a border that are looked at again at every larger scale
SEAM = 0.002  # what two neighbours with different ways cost at least, as a squared difference of colour
PATCH = 1 / len(AROUND)  # what unlike patches cost, of their squared distance
SOLVED, PATIENCE, AGAIN = 1e-3, 400, 40  # of the first residual, and rounds, at the smallest scale and at larger ones
LOUD = 0.12  # of [0, 1]: a copy that differs more from what is known next to it does not blend into it
SEEN = 0.04  # of [0, 1]: pieces whose changes differ less where they meet have no seam
RIM = 2.0  # pixels from what is known that are a seam too
SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True)
class Likeness:
    """What patches of a hole look like and where they are found: wanted (N, n) of the centres of `places`, looks (H * W, n) of
    all pixels, and ways (N, 2)."""

    places: Places
    wanted: Tensor
    looks: Tensor
    ways: Tensor

    def everywhere(self) -> Tensor:
        """Return a way for every pixel, (H, W, 2); those at the picture's edge take that of the nearest centre."""
        height, width = self.places.number.shape
        field = torch.zeros(height, width, 2, dtype=torch.int64)
        field[self.places.centres[:, 0], self.places.centres[:, 1]] = self.ways
        rows, columns = (torch.arange(side).clamp(REACH, side - 1 - REACH) for side in (height, width))
        return field[rows[:, None], columns]


class Pieces:
    """A picture at one scale whose hole is copied from elsewhere, every pixel along its own way.

    colours: (H, W, 3) float32. hole: (H, W), bool; all else is known. field: (H, W, 2), the ways, 0 where known. change: (H, W,
    3) float32, what is added to what is copied.
    """

    def __init__(self, colours: np.ndarray, hole: np.ndarray, field: Tensor, likeness: Likeness | None = None) -> None:
        self.height, self.width = hole.shape
        self.colours = torch.from_numpy(np.ascontiguousarray(colours)).flatten(0, 1)
        self.hole = torch.from_numpy(hole).flatten()
        self.field = torch.where(self.hole[:, None], field.flatten(0, 1).to(torch.int32), 0)
        self.likeness = likeness
        self.change = torch.zeros(0)

    def fewer(self) -> None:
        """Make the pieces fewer and larger: pixels take over the ways of pixels nearby where that costs less."""
        cells = self.hole.nonzero()[:, 0]
        if self.likeness is None:
            near = cv2.dilate(self._borders().numpy().astype(np.uint8), np.ones((2 * BAND - 1, 2 * BAND - 1), np.uint8))
            cells = cells[torch.from_numpy(near).flatten()[cells] > 0]
        odd = (cells // self.width + cells % self.width) % 2 == 1
        halves, steps = (cells[odd], cells[~odd]), (1,) if self.likeness is None else STEPS
        for _ in range(1 if self.likeness is None else SWEEPS):
            for step in steps:
                for side in SIDES:
                    for half in halves:
                        self._take_over(half, (side[0] * step, side[1] * step))

    def blend(self, start: Tensor | None = None) -> None:
        """Find the change with which the copied colours differ from pixel to pixel as their pieces do (Poisson image editing,
        Perez et al. 2003; the mean of both where pieces meet). start: the change at half the scale, (h, w, 3)."""
        cells = self.hole.nonzero()[:, 0]
        own, wanted, seam = self._copied(cells, self.field[cells]), torch.zeros(len(cells), 3), torch.zeros(len(cells)) > 0
        number, links = torch.full((self.height * self.width,), len(cells)), []
        number[cells] = torch.arange(len(cells))
        for side in SIDES:
            beside, within = self._beside(cells, side)
            known, theirs = within & ~self.hole[beside], self.field[beside]
            here, there = (
                self._copied(cells, theirs) - own,
                self._copied(beside, theirs) - self._copied(beside, self.field[cells]),
            )
            linked = within & ~(known & (there.abs().mean(1) > LOUD))
            links.append((torch.where(known, len(cells), number[beside]), linked))
            wanted += torch.where(linked[:, None], torch.where(known[:, None], there, (here + there) / 2), 0)
            differ = within & ~known & (self.field[cells] != theirs).any(1)
            seam |= differ & ((here - there).abs().mean(1) > SEEN)
        first = torch.zeros_like(wanted)
        if start is not None:
            large = cv2.resize(start.numpy(), (start.shape[1] * 2, start.shape[0] * 2), interpolation=cv2.INTER_LINEAR)
            first = torch.from_numpy(large[: self.height, : self.width]).flatten(0, 1)[cells]
        change = torch.zeros(self.height * self.width, 3)
        change[cells] = _solved(links, wanted, first, PATIENCE if start is None else AGAIN)
        self.change, self.seam = change.reshape(self.height, self.width, 3), seam
        self.cells, self.own = cells, own

    def filled(self) -> np.ndarray:
        """Return the colours (H, W, 3), the hole filled, after `blend`."""
        colours = self.colours.clone()
        colours[self.cells] = self.own + self.change.flatten(0, 1)[self.cells]
        return colours.reshape(self.height, self.width, 3).numpy()

    def seams(self) -> np.ndarray:
        """Return where pieces meet that do not go together, and what lies next to the known, (H, W), bool, after `blend`."""
        hole = self.hole.reshape(self.height, self.width).numpy()
        marked = np.zeros(hole.size, np.uint8)
        marked[self.cells.numpy()] = self.seam
        wide = cv2.dilate(marked.reshape(hole.shape), np.ones((3, 3), np.uint8)) > 0
        return hole & (wide | (cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5) <= RIM))

    def enlarged(self, colours: np.ndarray, hole: np.ndarray) -> Pieces:
        """Return the same pieces at twice the scale, of a picture (2 H, 2 W, 3) and its hole."""
        field = 2 * self.field.reshape(self.height, self.width, 2)
        large = field.repeat_interleave(2, 0).repeat_interleave(2, 1)[: hole.shape[0], : hole.shape[1]]
        return Pieces(colours, hole, large)

    def _borders(self) -> Tensor:
        """Return which pixels have another way than the next, (H, W), bool."""
        field = self.field.reshape(self.height, self.width, 2)
        found = torch.zeros(self.height, self.width, dtype=torch.bool)
        across, down = (field[:, 1:] != field[:, :-1]).any(2), (field[1:] != field[:-1]).any(2)
        for part, differ in ((found[:, 1:], across), (found[:, :-1], across), (found[1:], down), (found[:-1], down)):
            part |= differ
        return found

    def _ends(self, cells: Tensor, ways: Tensor) -> tuple[Tensor, Tensor]:
        """Return the ends (m,) of ways (m, 2) from pixels, the nearest inside the picture, and which are inside."""
        rows, columns = cells // self.width + ways[:, 0], cells % self.width + ways[:, 1]
        within = (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
        return rows.clamp(0, self.height - 1) * self.width + columns.clamp(0, self.width - 1), within

    def _beside(self, cells: Tensor, step: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return self._ends(cells, torch.tensor([step]))

    def _copied(self, cells: Tensor, ways: Tensor) -> Tensor:
        """Return the colours (m, 3) at the ends of ways from pixels."""
        return self.colours[self._ends(cells, ways)[0]]

    def _unlike(self, cells: Tensor, ways: Tensor) -> Tensor:
        """Return what it costs pixels (m,) to take ways (m, 2), whatever is beside them; infinity where they may not."""
        if self.likeness is None:
            ends, within = self._ends(cells, ways)
            return torch.where(within & ~self.hole[ends], 0.0, torch.inf)
        places, edge = self.likeness.places, torch.tensor([self.height - 1 - REACH, self.width - 1 - REACH])
        centres = torch.stack([cells // self.width, cells % self.width], 1).clamp_min(REACH).minimum(edge)
        wanted = self.likeness.wanted[places.number[centres[:, 0], centres[:, 1]]]
        apart = (self.likeness.looks[places.flat(centres + ways)] - wanted).square().sum(1) * PATCH
        return torch.where(places.valid(centres + ways), apart, torch.inf)

    def _cost(self, cells: Tensor, ways: Tensor) -> Tensor:
        """Return what it costs pixels (m,) to take ways (m, 2), beside their neighbours as they are."""
        cost = self._unlike(cells, ways)
        for side in SIDES:
            beside, within = self._beside(cells, side)
            known, theirs = ~self.hole[beside], self.field[beside]
            there = (self._copied(beside, ways) - self._copied(beside, theirs)).square().sum(1)
            here = (self._copied(cells, ways) - self._copied(cells, theirs)).square().sum(1)
            apart = torch.where(known, 2 * there, here + there + SEAM)
            cost += torch.where(within & (ways != theirs).any(1), apart, 0)
        return cost

    def _take_over(self, cells: Tensor, step: tuple[int, int]) -> None:
        """Give pixels the ways of those a step away where they cost less."""
        beside, within = self._beside(cells, step)
        offered = self.field[beside]
        new = within & self.hole[beside] & (offered != self.field[cells]).any(1)
        cells, offered = cells[new], offered[new]
        better = self._cost(cells, offered) < self._cost(cells, self.field[cells])
        self.field[cells[better]] = offered[better]


def _solved(links: list[tuple[Tensor, Tensor]], wanted: Tensor, first: Tensor, patience: int) -> Tensor:
    """Return the (m, 3) whose differences from their neighbours sum to what is wanted (conjugate gradients, from `first` on).

    links: by side, the neighbours (m,), m for one that is 0, and which of them count.
    """
    count = torch.stack([linked for _, linked in links]).sum(0).float()[:, None]
    beside = [torch.where(linked, there, len(wanted)) for there, linked in links]

    def applied(x: Tensor) -> Tensor:
        padded = torch.cat([x, torch.zeros(1, 3)])
        total = count * x
        for there in beside:
            total -= padded[there]
        return total

    found, rest = first, wanted - applied(first)
    way, size = rest.clone(), rest.square().sum(0)
    enough = SOLVED**2 * wanted.square().sum(0)
    for _ in range(patience):
        if (size <= enough).all():
            break
        after = applied(way)
        share = size / (way * after).sum(0).clamp_min(1e-20)
        found, rest = found + share * way, rest - share * after
        size, before = rest.square().sum(0), size
        way = rest + size / before.clamp_min(1e-20) * way
    return found
