"""What every kind of hole must keep."""

from __future__ import annotations

import numpy as np
import pytest

from irflow_cli.degradations.masks import HOLES


@pytest.mark.parametrize("name", HOLES)
def test_a_hole_is_drawn_from_its_generator_and_leaves_something(name: str) -> None:
    one, same, other = (HOLES[name](64, 90, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one.shape, one.dtype) == ((64, 90), bool)
    assert np.array_equal(one, same)
    assert 0 < one.mean() < 1
    assert np.array_equal(one, other) == (name == "grid")  # in which nothing is random


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 5)])
def test_a_small_picture_may_have_every_hole(name: str, size: tuple[int, int]) -> None:
    assert HOLES[name](*size, np.random.default_rng(0)).shape == size
