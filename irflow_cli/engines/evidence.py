"""Whether there is anything to take out: what hardly changes was sound before, and what changes much was not."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from irflow_cli.engines.settings import FULL_SCALE
from irflow_cli.images.picture import top_of

REACH = 128  # pixels: the deviation of the window over which changes are judged together
CELL = 16  # pixels of a side, whose changes are one number
BAND = 2 * CELL  # rows that are worked on at a time, so that little memory is needed beside the pictures
WIDE = 2**14  # columns that OpenCV interpolates at a time; it takes no more than 2^15
POWER = 4  # of the mean: a single drop counts, though most of its window stays as it is
CERTAIN = 1.5  # times the size of changes from which on all is kept: there it is certain that there was something
SEEN = 2.0  # of 255: a cell whose change is smaller looks as before


class Kept(NamedTuple):
    """How much of a change was kept. most: the largest share of it anywhere, 0 to 1; area: the part of the picture, 0 to 1,
    that looks different."""

    most: float
    area: float


def keep_sound(
    before: np.ndarray,
    after: np.ndarray,
    least: tuple[float, float],
    strength: float = 1.0,
    more: float = 0.0,
    believed: np.ndarray | None = None,
) -> Kept:
    """Bring pixels of `after` back to `before`, in place, where little changed far and wide; return what was kept.

    before, after: (H, W) or (H, W, 3), of one type. What a network takes out of a sound picture by mistake is faint and local;
    rain, drops and noise are strong somewhere near. So the size of changes (root mean square of the channels, 0-255 scale) is
    averaged over a window of REACH, by a mean of POWER. Below least[0] nothing of the change is kept, above least[1] all, and
    between them a part that rises smoothly. strength: what changes were multiplied by; they are judged without. more: what is
    added to the part from CERTAIN times least[1] on, less below: a network that saw sound pictures, too, takes out too little
    of what is in doubt, and where a picture is full of it there is none. believed: the part of each change that is true as far
    as is known otherwise, (rows, columns) of 0 to 1, in equal cells of the picture; all that was said is of so much of it.
    """
    cells = _powers(before, after)
    around, high = _around(cells) / strength, least[1]
    shares = kept_share(around, least) + more * kept_share(around, (high, CERTAIN * high))
    if believed is not None:
        shares = shares * cv2.resize(believed, shares.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if (shares != 1).any():
        height, width = before.shape[:2]
        rows, columns = _places(height, shares.shape[0]), _places(width, shares.shape[1])
        for top in range(0, height, BAND):
            part = _between(shares, rows[top : top + BAND], columns)[(...,) + (None,) * (before.ndim - 2)]
            old, new = before[top : top + BAND], after[top : top + BAND]
            mixed = old + part * (new.astype(np.float32) - old)
            mixed = mixed if before.dtype.kind == "f" else np.round(mixed).clip(0, top_of(before.dtype))
            new[...] = np.where(part == 1, new, mixed)
    return Kept(min(1.0, float(shares.max())), float((cells ** (1 / POWER) * shares > SEEN).mean()))


def _powers(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the mean of POWER of the size of changes in each cell (rows, columns), 0-255 scale."""
    scale, bands = FULL_SCALE / top_of(before.dtype), []
    for top in range(0, len(before), BAND):
        change = (after[top : top + BAND].astype(np.float32) - before[top : top + BAND]) * np.float32(scale)
        squares = (change**2).reshape(*change.shape[:2], -1).mean(2)
        bands.append(_cells(squares ** (POWER // 2)))
    return np.concatenate(bands)


def _around(cells: np.ndarray) -> np.ndarray:
    """Return the mean size of changes around each cell (rows, columns), 0-255 scale."""
    return cv2.GaussianBlur(cells, (0, 0), REACH / CELL, borderType=cv2.BORDER_REFLECT) ** (1 / POWER)


def _cells(values: np.ndarray) -> np.ndarray:
    """Return the means of cells of (H, W) values; those at the ends may be smaller."""
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], CELL)
        counts = np.diff(np.append(starts, values.shape[axis])).astype(np.float32)
        values = np.add.reduceat(values, starts, axis) / (counts[:, None] if axis == 0 else counts)
    return values


def kept_share(strength: np.ndarray, least: tuple[float, float]) -> np.ndarray:
    """Return how much to keep by a strength: it rises from 0 at the first of `least` to 1 at the second, smoothly."""
    low, high = least
    share = ((strength - low) / (high - low)).clip(0, 1)
    return share**2 * (3 - 2 * share)


def _places(length: int, cells: int) -> np.ndarray:
    """Return where pixels lie among the centres of cells."""
    return (((np.arange(length) + 0.5) / CELL) - 0.5).clip(0, cells - 1)


def _between(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return values (n, m) between their places, linearly: (len(rows), len(columns)), float32."""
    values, parts = values.astype(np.float32), []
    for left in range(0, len(columns), WIDE):
        x, y = np.meshgrid(columns[left : left + WIDE].astype(np.float32), rows.astype(np.float32))
        parts.append(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.concatenate(parts, axis=1)
