"""What every sampler must keep."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from irflow_cli.flow.paths import interpolate, velocity_from_residual
from irflow_cli.flow.samplers import ORDERS, SAMPLERS
from irflow_cli.flow.times import GRIDS, make_times

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
