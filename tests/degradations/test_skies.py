"""What looks like drops and is none."""

from __future__ import annotations

import torch
from drawn import seeded

from irflow_cli.degradations.skies import skies


def test_skies_are_of_many_kinds_and_clouds_are_soft() -> None:
    picture = torch.rand((60, 3, 64, 64), generator=seeded())
    drawn = skies(picture, seeded())
    light = drawn.mean((1, 2, 3))
    assert float(light.min()) < 0.3
    assert float(light.max()) > 0.7
    blue = (drawn[:, 2] - drawn[:, 0]).mean((1, 2))
    assert float(blue.max()) > 0.05
    assert float(blue.min()) < -0.02  # evenings
    steps = (drawn.diff(dim=2).abs().mean((1, 2, 3)), picture.diff(dim=2).abs().mean((1, 2, 3)))
    assert float((steps[0] < 0.5 * steps[1]).float().mean()) > 0.3  # most of it is sky
    assert float((steps[0] > 0.5 * steps[1]).float().mean()) > 0.1  # and of some a small part
    assert float(drawn.std((2, 3)).mean()) > 0.05


def test_a_grey_picture_gets_a_grey_sky() -> None:
    assert skies(torch.rand((4, 1, 32, 40), generator=seeded()), seeded()).shape == (4, 1, 32, 40)
