"""What every sampler must keep."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from irflow_cli.flow.paths import bridge, clean_from_velocity, interpolate, velocity_from_residual
from irflow_cli.flow.samplers import ORDERS, SAMPLERS
from irflow_cli.flow.times import GRIDS, RELEASED, make_times

X_0 = torch.linspace(0, 1, 48, dtype=torch.float64).reshape(2, 2, 3, 4)
X_1 = X_0.flip(3) * 0.7 + 0.1


class Straight:
    """The field of a perfect residual network: everything between x and X_1 is left to travel. Counts its calls."""

    def __init__(self) -> None:
        self.calls, self.latest = 0, -1.0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        self.latest = max(self.latest, float(t.max()))
        return velocity_from_residual(x - X_1, t)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 10])
def test_a_straight_path_is_followed_to_its_end(sampler: str, grid: str, steps: int) -> None:
    field = Straight()
    trajectory = SAMPLERS[sampler](field, X_0, make_times(grid, steps))
    assert torch.allclose(trajectory.state, X_1, atol=1e-12)
    assert (trajectory.steps, trajectory.nfe) == (steps, field.calls)
    assert field.latest < 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sample_may_start_at_its_own_time(sampler: str) -> None:
    start = torch.tensor([0.25, 0.8], dtype=torch.float64)
    trajectory = SAMPLERS[sampler](Straight(), interpolate(X_0, X_1, start), make_times("released", 3, start))
    assert torch.allclose(trajectory.state, X_1, atol=1e-12)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_stated_order_holds_when_the_step_is_halved(sampler: str) -> None:
    def rotation(x: Tensor, t: Tensor) -> Tensor:  # dx/dt = cos(3 t) x: smooth, not straight, known solution
        return torch.cos(3 * t) * x

    exact = X_0 * math.exp(math.sin(3.0) / 3)
    errors = [
        float((SAMPLERS[sampler](rotation, X_0, make_times("uniform", n)).state - exact).abs().max()) for n in (512, 1024)
    ]
    order = math.log2(errors[0] / errors[1])
    # Fine steps, for with coarse ones errors of two orders may cancel. The last interval of Heun's trajectory is an Euler
    # step of width h, a local error of h^2: order 2 overall, no more.
    assert order == pytest.approx(ORDERS[sampler], abs=0.2)


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


def test_paths_agree_with_each_other() -> None:
    t = torch.tensor([0.2, 0.6], dtype=torch.float64)
    x_t = interpolate(X_0, X_1, t)
    assert torch.allclose(bridge(X_0, 0.0, X_1, t), x_t)
    assert torch.allclose(bridge(interpolate(X_0, X_1, 0.1), 0.1, X_1, t), x_t)
    assert torch.allclose(clean_from_velocity(x_t, velocity_from_residual(x_t - X_1, t), t), X_1)
    assert torch.equal(interpolate(X_0, X_1, 0.0), X_0)
