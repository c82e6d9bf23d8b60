"""The crops that hold a hole."""

from __future__ import annotations

import cv2
import numpy as np

from irflow_cli.engines.crops import MARGIN, crops_of


def test_crops_hold_every_pixel_once_with_known_ones_around() -> None:
    random = np.random.default_rng(2)
    inside = np.zeros((700, 900), bool)
    for _ in range(12):
        row, column = random.integers(690), random.integers(890)
        inside[row : row + 9, column : column + 9] = True
    crops, seen = crops_of(inside), np.zeros(inside.shape, int)
    for crop in crops:
        seen[crop.place] += crop.inside
        rows, columns = np.nonzero(crop.inside)
        assert rows.min() >= min(MARGIN, crop.top + rows.min())
        assert columns.min() >= min(MARGIN, crop.left + columns.min())
        assert crop.inside.shape[0] % 32 == 0
        assert crop.inside.shape[1] % 32 == 0
    assert np.array_equal(seen, inside)
    assert sum(crop.inside.size for crop in crops) < inside.size


def test_a_long_scratch_costs_what_the_scratch_costs() -> None:
    inside = np.zeros((2100, 3000), np.uint8)
    cv2.line(inside, (30, 40), (2950, 2050), 1, 12)
    crops = crops_of(inside.astype(bool))
    assert len(crops) > 4
    assert sum(crop.inside.size for crop in crops) < 0.4 * inside.size
    filled = np.zeros(inside.shape, int)
    for crop in crops:
        filled[crop.place] += crop.inside
        rows, columns = (np.flatnonzero(crop.inside.any(axis)) for axis in (1, 0))
        assert min(rows[0], crop.inside.shape[0] - 1 - rows[-1]) >= MARGIN or crop.top == 0 or crop.bottom == 2100
        assert min(columns[0], crop.inside.shape[1] - 1 - columns[-1]) >= MARGIN or crop.left == 0 or crop.right == 3000
    assert np.array_equal(filled, inside)
    assert [crop.turn for crop in crops] == list(range(len(crops)))
    box = np.zeros((1300, 1300), bool)
    box[100:1200, 100:1200] = True
    assert len(crops_of(box)) == 1
