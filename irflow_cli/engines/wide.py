"""The parts of a hole that a prior fills with a blur: a wide stroke, a small object, or a thin one in grain."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from irflow_cli.engines.grain import grain_of

WIDE = 18.0  # pixels from what is known, from which on a hole is wide
SMALL = 9.0  # the same of a hole that is no stroke: most of its pixels lie close to its middle
THIN = 3.0  # the same of a hole in grain
ROUND = 8.0  # at most so many squares of its depth has the area of such a hole; twice as long as wide
BESIDE = 16  # pixels between wide parts that are filled together
CONTEXT = 96  # pixels of picture around a part, at least; around a wide one as many as it is long, if that is more
CELL = 192  # pixels of a side: of the thin parts in grain what lies in one square is filled together


@dataclass(frozen=True)
class CopiedPart:
    """A part of a hole that is copied: its place in the picture, with context; which pixels there it is, inside (h, w), bool;
    and where its surroundings are grain (h, w), bool."""

    place: tuple[slice, slice]
    inside: np.ndarray
    grain: np.ndarray


def copied_parts(missing: np.ndarray, pixels: np.ndarray) -> Iterator[CopiedPart]:
    """Yield the parts of a hole (H, W), bool, in pixels (H, W) or (H, W, 3), that are copied: those that hold a disc of radius
    WIDE, thin ends cut off, small holes that are no strokes, from SMALL on, and in grain all that holds a disc of THIN."""
    framed = np.pad(missing.astype(np.uint8), 1, mode="edge")  # what lies beyond the picture is no help
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    wide, core = _small_objects(missing, depth), depth > WIDE
    wide |= missing & _near(core, WIDE)
    deep = depth >= THIN
    grain = grain_of(pixels, missing) if deep.any() else deep
    thin = missing & grain & ~wide & _near(grain & deep, 2 * THIN)
    parts = [(*part, max(CONTEXT, *part[1].shape)) for part in _joined(wide)] + [(*part, CONTEXT) for part in _cells(thin)]
    for (rows, columns), inside, margin in parts:
        place = tuple(slice(max(0, side.start - margin), side.stop + margin) for side in (rows, columns))
        within = np.zeros_like(missing[place])
        top, left = rows.start - place[0].start, columns.start - place[1].start
        within[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        yield CopiedPart((place[0], place[1]), within, grain[place])


def _joined(wide: np.ndarray) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """Yield the places of wide parts (H, W), bool, those close by as one, and which pixels there they are."""
    joined = cv2.dilate(wide.astype(np.uint8), np.ones((BESIDE + 1, BESIDE + 1), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    for label in range(1, count):
        left, top, width, height = (int(value) for value in boxes[label, :4])
        place = slice(top, top + height), slice(left, left + width)
        yield place, wide[place] & (labels[place] == label)


def _cells(thin: np.ndarray) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """Yield the squares in which there are thin parts (H, W), bool, so that a wire across a picture does not need all of it at
    once, and which pixels there they are."""
    for top, left in itertools.product(range(0, thin.shape[0], CELL), range(0, thin.shape[1], CELL)):
        rows, columns = slice(top, min(top + CELL, thin.shape[0])), slice(left, min(left + CELL, thin.shape[1]))
        if (inside := thin[rows, columns]).any():
            yield (rows, columns), inside


def _near(core: np.ndarray, reach: float) -> np.ndarray:
    """Return which pixels are within `reach` of a core (H, W), bool."""
    return cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 5) <= reach if core.any() else core


def _small_objects(missing: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return the small holes that are no strokes (H, W), bool, of a hole (H, W), bool, and its depth in pixels."""
    small = np.zeros(missing.shape, bool)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(missing.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    for label in np.flatnonzero((areas > 3 * SMALL**2) & (areas <= ROUND * WIDE**2)):
        left, top, width, height = (int(value) for value in stats[label, :4])
        place = slice(top, top + height), slice(left, left + width)
        own = labels[place] == label
        deepest = float(depth[place][own].max(initial=0))
        if label and deepest >= SMALL and areas[label] <= ROUND * deepest**2:
            small[place] |= own
    return small
