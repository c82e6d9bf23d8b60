"""The parts of a hole that a prior fills with a blur: a wide stroke, a small object, or a thin one in grain."""

from __future__ import annotations

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
CONTEXT = 96  # pixels of picture around a wide part, at least; as many as it is long, if that is more


@dataclass(frozen=True)
class WidePart:
    """A wide part of a hole: its place in the picture, with context; which pixels there it is, inside (h, w), bool; and where
    its surroundings are grain (h, w), bool."""

    place: tuple[slice, slice]
    inside: np.ndarray
    grain: np.ndarray


def wide_parts(missing: np.ndarray, pixels: np.ndarray) -> Iterator[WidePart]:
    """Yield the parts of a hole (H, W), bool, in pixels (H, W) or (H, W, 3), that are copied: those that hold a disc of radius
    WIDE, thin ends cut off, small holes that are no strokes, from SMALL on, and in grain all that holds a disc of THIN."""
    framed = np.pad(missing.astype(np.uint8), 1, mode="edge")  # what lies beyond the picture is no help
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    wide, core = _small_objects(missing, depth), depth > WIDE
    wide |= missing & _near(core, WIDE)
    deep = depth >= THIN
    grain = grain_of(pixels, missing) if deep.any() else deep
    wide |= missing & grain & _near(grain & deep, 2 * THIN)
    if not wide.any():
        return
    joined = cv2.dilate(wide.astype(np.uint8), np.ones((BESIDE + 1, BESIDE + 1), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    for label in range(1, count):
        left, top, width, height = (int(value) for value in boxes[label, :4])
        margin = max(CONTEXT, width, height)
        rows = slice(max(0, top - margin), min(missing.shape[0], top + height + margin))
        columns = slice(max(0, left - margin), min(missing.shape[1], left + width + margin))
        place = rows, columns
        yield WidePart(place, wide[place] & (labels[place] == label), grain[place])


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
