"""Grids of times."""

from __future__ import annotations

import pytest

from irflow_cli.flow.times import GRIDS, RELEASED, make_times


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("start", [0.0, 0.3, 0.999])
def test_grids_rise_from_start_to_one(grid: str, steps: int, start: float) -> None:
    times = make_times(grid, steps, start)
    assert times.shape == (steps + 1,)
    assert float(times[0]) == pytest.approx(start)
    assert float(times[-1]) == 1.0
    assert bool((times.diff() > 0).all())


def test_a_grid_that_stops_early_ends_with_one_long_interval() -> None:
    assert make_times("uniform", 5, 0.2, 0.8).tolist() == pytest.approx([0.2, 0.35, 0.5, 0.65, 0.8, 1.0])


def test_released_grids_are_the_published_ones() -> None:
    published = {2: [1, 0.2, 0], 3: [1, 0.2, 0.1, 0], 4: [1, 0.5, 0.25, 0.05, 0]}  # in tau = 1 - t
    for steps, taus in published.items():
        assert RELEASED[steps] == pytest.approx([1 - tau for tau in taus])


@pytest.mark.parametrize("steps", [0, -1])
def test_no_trajectory_without_a_step(steps: int) -> None:
    with pytest.raises(ValueError, match="at least one step"):
        make_times("uniform", steps)
