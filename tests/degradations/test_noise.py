"""Noise of sensors."""

from __future__ import annotations

import pytest
import torch
from drawn import seeded

from irflow_cli.degradations import degrade


@pytest.mark.parametrize("kind", ["noise", "poisson", "camera"])
@pytest.mark.parametrize("sigma", [5, 25, 50])
def test_noise_has_the_asked_deviation_in_the_middle_grey(kind: str, sigma: float) -> None:
    grey = torch.full((1, 3, 200, 200), 0.5)
    measured = 255 * float((degrade(grey, kind, sigma, generator=seeded()) - grey).std())
    assert measured == pytest.approx(sigma, rel=0.02)


def test_a_camera_s_noise_is_coarse_in_colour_alone() -> None:
    def likeness(channels: int) -> float:
        grey = torch.full((1, channels, 200, 200), 0.5)
        noise = degrade(grey, "camera", 25, generator=seeded()) - grey
        return float((noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean())

    assert likeness(3) == pytest.approx(0.55, abs=0.1)  # of red and blue 2/3, of green 0.4
    assert likeness(1) == pytest.approx(0, abs=0.02)
