"""Holes grow, and get soft edges."""

from __future__ import annotations

import numpy as np
import pytest

from irflow_cli.engines.holes import check_spread, spread_hole
from irflow_cli.errors import ImageError, UsageError

POINT = np.zeros((21, 21), bool)
POINT[10, 10] = True


def test_a_hole_grows_by_as_many_pixels_as_it_is_told() -> None:
    grown = spread_hole(POINT, dilate=4).inside
    assert grown[10, 6:15].all() and grown[6:15, 10].all()
    assert not grown[10, [5, 15]].any() and not grown[6, 6]
    assert np.array_equal(spread_hole(POINT).inside, POINT)


def test_a_feathered_edge_falls_to_nothing() -> None:
    hole = spread_hole(POINT, dilate=2, feather=4)
    assert hole.weight is not None
    row = hole.weight[10]
    assert (row[8:13] == 1).all() and (np.diff(row[:9]) >= 0).all()
    assert [bool(value) for value in row[[3, 4, 16, 17]]] == [False, True, True, False]
    assert np.array_equal(hole.inside, hole.weight > 0)


@pytest.mark.parametrize(("dilate", "feather", "named"), [(-1, 0, "dilate"), (0, 501, "feather")])
def test_a_spread_that_makes_no_sense_is_refused(dilate: int, feather: int, named: str) -> None:
    with pytest.raises(UsageError, match=f"`{named}` goes from 0 to 500"):
        check_spread(dilate, feather)


@pytest.mark.parametrize(
    ("dilate", "feather", "named"), [(0, 500, "`feather`"), (30, 0, "`dilate`"), (9, 9, "`dilate` and `feather`")]
)
def test_a_spread_that_leaves_nothing_outside_is_named(dilate: int, feather: int, named: str) -> None:
    with pytest.raises(ImageError, match=f"so many pixels of {named}; give fewer"):
        spread_hole(POINT, dilate, feather)
    assert spread_hole(np.ones((5, 5), bool), dilate, feather).inside.all()
