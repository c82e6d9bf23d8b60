"""Do no harm: what is clean stays, no brightness moves, and tiles leave no trace."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from irflow_cli.api import load_checkpoint, restore

BLOCK = 64  # pixels of a side
HALF = 0.5  # of a grey level: what the mean of a block may move
CLEAN = {  # photographs that scikit-image brings, and where there is no deliberate blur in them
    "astronaut": (0, 192),
    "chelsea": (40, 100),
    "rocket": (100, 200),
}
TASKS = ("denoise", "derain", "deraindrop")


def photograph(name: str, side: int = 192) -> np.ndarray:
    """Return a crop (side, side, 3), uint8, of a clean photograph."""
    top, left = CLEAN[name]
    return getattr(data, name)()[top : top + side, left : left + side]


def block_means(picture: np.ndarray) -> np.ndarray:
    """Return the means of whole blocks, (rows, columns, 3)."""
    rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    whole = picture[: rows * BLOCK, : columns * BLOCK].astype(float)
    return whole.reshape(rows, BLOCK, columns, BLOCK, 3).mean((1, 3))


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("task", ("denoise", "derain"))
def test_brightness_of_clean_pictures_stays(task: str, name: str) -> None:
    clean = photograph(name)
    restored = restore(clean, task, engine="torch", device="cpu")
    assert np.abs(block_means(restored) - block_means(clean)).max() < HALF


@pytest.mark.parametrize("task", TASKS)
def test_tiles_equal_the_whole_where_they_see_enough(task: str, tiny_checkpoint) -> None:
    degraded = np.random.default_rng(0).integers(0, 256, (200, 272, 3), np.uint8)
    checkpoint = load_checkpoint(tiny_checkpoint(task))
    whole = restore(degraded, task, checkpoint=checkpoint, tile=512, engine="torch").astype(int)
    tiled = restore(degraded, task, checkpoint=checkpoint, tile=160, overlap=64, engine="torch")
    assert np.abs(whole - degraded).max() > 1  # it does something
    assert np.abs(tiled - whole).max() <= 1
