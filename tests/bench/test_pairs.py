"""Pairs that do not belong together are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import save, scene

from irflow_cli.bench.pairs import check_pairs
from irflow_cli.bench.sets import find_samples
from irflow_cli.errors import UsageError


def scenes(folder: Path, degraded: tuple[int, ...]) -> None:
    """Write four scenes and rainy ones of the scenes with these numbers."""
    for number, other in enumerate(degraded):
        save(folder / f"clean/{number}.png", np.roll(scene(60, 70, 5 * number), 17 * number, (0, 1)))
        save(folder / f"degraded/{number}.png", np.roll(scene(60, 70, 5 * other), 17 * other, (0, 1)) // 2 + 90)


def test_a_swapped_pair_is_caught(tmp_path: Path) -> None:
    scenes(tmp_path / "right", (0, 1, 2, 3))
    check_pairs(find_samples(tmp_path / "right", paired=True))
    scenes(tmp_path / "wrong", (0, 3, 2, 1))
    with pytest.raises(UsageError, match="degraded picture of 1 shows the scene of 3, and the other way round"):
        check_pairs(find_samples(tmp_path / "wrong", paired=True))


def test_a_wrong_partner_is_caught(tmp_path: Path) -> None:
    scenes(tmp_path / "wrong", (0, 1, 3, 3))
    with pytest.raises(UsageError, match="degraded picture of 2 shows the scene of 3, pairs are mixed up"):
        check_pairs(find_samples(tmp_path / "wrong", paired=True))
