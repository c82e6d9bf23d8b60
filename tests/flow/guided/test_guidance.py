"""What guides a trajectory."""

from __future__ import annotations

import pytest
import torch
from drawn import seeded

from irflow_cli.flow.guided import Guidance
from irflow_cli.flow.observations import masked

SHAPE = (1, 1, 300, 300)
CLEAN = torch.full(SHAPE, 0.7)


def guide(sigma: float = 0.0, **changes: float) -> Guidance:
    generator = seeded()
    noisy = CLEAN + sigma * torch.randn(SHAPE, generator=seeded(1))
    draw = lambda: 0.4 + 0.2 * torch.randn(SHAPE, generator=generator)  # noqa: E731
    return Guidance(masked(noisy, torch.ones(SHAPE), sigma), draw, mean=0.4, deviation=0.2, **changes)


@pytest.mark.parametrize("sigma", [0.0, 0.05])
@pytest.mark.parametrize("t", [0.2, 0.6])
def test_what_is_known_is_brought_to_the_time_of_the_state(sigma: float, t: float) -> None:
    state = guide(sigma).projected(torch.zeros(SHAPE), t)
    assert float(state.mean()) == pytest.approx((1 - t) * 0.4 + t * 0.7, abs=2e-3)
    assert float(state.std()) == pytest.approx((1 - t) * 0.2, rel=0.02)


def test_what_is_noisier_than_the_path_is_left_out() -> None:
    noisy, x = guide(0.2), torch.zeros(SHAPE)
    assert noisy.entry == pytest.approx(0.5)
    assert torch.equal(noisy.projected(x, 0.6), x)
    assert not torch.equal(noisy.projected(x, 0.4), x)


def test_the_samplers_own_number_is_the_usual_one_unless_given() -> None:
    assert guide().chosen(5.0) == 5.0
    assert guide(weight=0.0).chosen(5.0) == 0.0
