"""The U-Net, and what that of a prior is given before it learns anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from drawn import TINY, seeded

from irflow_cli.nets import build
from irflow_cli.nets.unet import MIDDLE_GREY, NOISE, TEXTURE, linear_guess


@pytest.mark.parametrize("t", [0.0, 0.3, 0.8, 1.0])
def test_the_linear_guess_is_the_best_there_is(t: float) -> None:
    clean = TEXTURE * torch.randn(200_000, generator=seeded(1))
    noise = NOISE * torch.randn(200_000, generator=seeded(2))
    state = t * clean + (1 - t) * noise
    gain, error = (float(value) for value in linear_guess(torch.tensor(t, dtype=torch.float64)))
    assert gain == pytest.approx(float((state * clean).mean() / state.square().mean()), abs=5e-3)
    assert error == pytest.approx(float((gain * state - clean).std()), abs=5e-3)


def test_a_fresh_prior_answers_with_the_linear_guess() -> None:
    net = build(replace(TINY, time_map=True))
    x, t = torch.rand(2, 3, 16, 12), torch.rand(2, 1, 16, 12)
    gain, _ = linear_guess(t)
    with torch.no_grad():
        assert torch.allclose(x - net(x, t), MIDDLE_GREY + gain * (x - MIDDLE_GREY), atol=1e-6)


def test_a_fresh_network_changes_nothing() -> None:
    with torch.no_grad():
        assert not build(TINY)(torch.rand(1, 3, 9, 14), torch.zeros(1)).any()
