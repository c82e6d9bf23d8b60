"""The noise of a picture is measured."""

from __future__ import annotations

import pytest
import torch
from drawn import scenes, seeded

from irflow_cli.degradations import degrade
from irflow_cli.degradations.estimate import estimate_sigma


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
def test_noise_is_estimated_within_a_tenth(sigma: float) -> None:
    noisy = degrade(scenes(1, 160, 200) * 0.6 + 0.2, "noise", sigma, generator=seeded())
    eight_bit = (noisy.clamp(0, 1) * 255).round() / 255
    assert 255 * estimate_sigma(eight_bit) == pytest.approx(sigma, rel=0.1, abs=0.5)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 3), (9, 9)])
def test_the_estimate_works_on_small_pictures(size: tuple[int, int]) -> None:
    assert estimate_sigma(torch.rand((1, 3, *size), generator=seeded())) >= 0
