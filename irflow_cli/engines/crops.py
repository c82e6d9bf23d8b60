"""The crops of a picture that hold its hole, and which of them are sampled together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

MARGIN = 48  # pixels of known picture around a hole that the prior sees
ALIGN = 32  # crops' sides are multiples of this where the picture is large enough, so that many share a size
BATCH_PIXELS = 448 * 448  # of the crops that are sampled together
LONG, THIN, PIECE = 448, 0.05, 320  # sides and share of a part of the hole that is cut into pieces, and their largest sides


@dataclass(frozen=True)
class Crop:
    """A box of the picture (top, bottom, left, right) around a connected part of the hole, inside (h, w), bool. Crops of one
    turn are filled without regard to each other; those of the next know what was filled."""

    top: int
    bottom: int
    left: int
    right: int
    inside: np.ndarray
    turn: int = 0

    @property
    def place(self) -> tuple[slice, slice]:
        """The box as an index of the picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def crops_of(inside: np.ndarray, margin: int = MARGIN) -> list[Crop]:
    """Return crops that hold every pixel of the hole (H, W), bool, once, each with `margin` known pixels around where there are
    any, in the order of their turns; parts of the hole nearer than twice that share a crop, but for long thin ones, which are
    cut into pieces, one a turn."""
    x, y, wide, high = cv2.boundingRect(inside.view(np.uint8))
    top, left = max(0, y - margin), max(0, x - margin)
    near = inside[top : y + high + margin, left : x + wide + margin]  # the rest of a large picture is not looked at
    spread = cv2.dilate(near.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(spread, connectivity=8)
    crops = []
    for label in range(1, count):
        x, y, wide, high = (int(value) for value in boxes[label, :4])
        mine = near[y : y + high, x : x + wide] & (labels[y : y + high, x : x + wide] == label)
        long = mine.size > LONG**2 and mine.mean() < THIN
        for turn, (rows, columns) in enumerate(_pieces(mine) if long else [(slice(0, high), slice(0, wide))]):
            corner = top + y + rows.start, left + x + columns.start
            crops.append(_crop_around(mine[rows, columns], corner, inside.shape, margin, turn))
    return sorted(crops, key=lambda crop: crop.turn)


def _pieces(part: np.ndarray, top: int = 0, left: int = 0) -> Iterator[tuple[slice, slice]]:
    """Yield boxes that hold every pixel of a part (h, w), bool, once, counted from (-top, -left): the tight one around it or,
    while that is larger than PIECE, those of its halves."""
    rows, columns = (np.flatnonzero(part.any(axis)).tolist() for axis in (1, 0))
    if not rows:
        return
    upper, lower, near, far = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    height, width = lower - upper, far - near
    if max(height, width) <= PIECE:
        yield slice(top + upper, top + lower), slice(left + near, left + far)
    elif height >= width:
        middle = upper + height // 2
        yield from _pieces(part[:middle], top, left)
        yield from _pieces(part[middle:], top + middle, left)
    else:
        middle = near + width // 2
        yield from _pieces(part[:, :middle], top, left)
        yield from _pieces(part[:, middle:], top, left + middle)


def _crop_around(own: np.ndarray, corner: tuple[int, int], size: tuple[int, ...], margin: int, turn: int) -> Crop:
    """Return the crop that fills `own`, missing pixels (h, w), bool, from a corner on, of a picture of a size (H, W)."""
    spans = []
    for axis, start, length in zip((1, 0), corner, size, strict=True):
        there = np.flatnonzero(own.any(axis)) + start
        spans.append(_rounded(max(0, int(there[0]) - margin), min(length, int(there[-1]) + 1 + margin), length))
    (top, bottom), (left, right) = spans
    filled = np.zeros((bottom - top, right - left), bool)
    rows, columns = np.nonzero(own)
    filled[rows + corner[0] - top, columns + corner[1] - left] = True
    return Crop(top, bottom, left, right, filled, turn)


def _rounded(start: int, stop: int, length: int) -> tuple[int, int]:
    """Return the span made longer to a multiple of ALIGN, inside 0 to length."""
    size = min(length, -(-(stop - start) // ALIGN) * ALIGN)
    start = min(start, length - size)
    return start, start + size


def groups_of(crops: list[Crop]) -> Iterator[list[Crop]]:
    """Yield crops of one size that are sampled together."""

    def size(crop: Crop) -> tuple[int, int]:
        return crop.inside.shape  # type: ignore[return-value]

    for (high, wide), same in itertools.groupby(sorted(crops, key=size), key=size):
        together, most = list(same), max(1, BATCH_PIXELS // (high * wide))
        for start in range(0, len(together), most):
            yield together[start : start + most]
