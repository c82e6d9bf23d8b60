"""Degraded pictures stay what they are from version to version: test data made today can be made again.

PYTHONPATH=tests python tests/degradations/test_golden.py    writes the golden files anew, after a change that was meant
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.engines.degrader import degrade_picture
from irflow_cli.images.picture import Picture

GOLDEN = Path(__file__).parents[1] / "golden"


def made(kind: str) -> np.ndarray:
    """Return the golden scene degraded by a kind at its usual severity."""
    return degrade_picture(Picture(scene(48, 64), None, "PNG"), kind, DEGRADATIONS[kind].usual, seed=7).pixels


@pytest.mark.parametrize("kind", [kind for kind in DEGRADATIONS if kind != "jpeg"])  # codecs differ in their rounding
def test_degraded_pictures_are_the_golden_ones(kind: str) -> None:
    golden = np.asarray(Image.open(GOLDEN / f"{kind}.png")).astype(int)
    difference = np.abs(made(kind) - golden)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


if __name__ == "__main__":
    for name in DEGRADATIONS:
        if name != "jpeg":
            Image.fromarray(made(name)).save(GOLDEN / f"{name}.png")
