"""What every observation must keep."""

from __future__ import annotations

import pytest
import torch
from observed import OBSERVATIONS, SHAPE

from irflow_cli.flow.observations import OPERATORS, agreeing


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_projectors_project(kind: str) -> None:
    observation, x = OBSERVATIONS[kind], torch.rand(SHAPE)
    once = observation.project(x)
    assert torch.allclose(observation.project(once), once, atol=1e-6)
    assert torch.allclose(observation.project(observation.picture), observation.picture, atol=1e-6)
    assert float((once * (x - once)).sum()) == pytest.approx(0, abs=1e-3)  # orthogonal
    assert torch.allclose(observation.project(observation.projected(x)), observation.picture, atol=1e-6)


@pytest.mark.parametrize("kind", OPERATORS)
def test_clipping_keeps_the_observation(kind: str) -> None:
    small = torch.tensor([0.0, 0.002, 0.5, 0.998, 1.0]).reshape(1, 1, 1, 5).expand(1, 3, 4, 5)
    observation = OPERATORS[kind](small, 4)
    wild = torch.randn((1, 3, 16, 20), generator=torch.Generator().manual_seed(0)) * 0.4 + 0.5
    tame = agreeing(observation, wild)
    assert float(tame.min()) >= 0
    assert float(tame.max()) <= 1
    assert torch.allclose(observation.project(tame), observation.picture, atol=1 / 255)
