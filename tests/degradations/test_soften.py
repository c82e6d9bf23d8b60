"""Softer pictures."""

from __future__ import annotations

import torch
from drawn import seeded

from irflow_cli.degradations.soften import soften


def test_soft_pictures_keep_their_tone_and_lose_their_finest_detail() -> None:
    picture = torch.rand((8, 3, 64, 64), generator=seeded())
    soft = soften(picture, seeded())
    assert torch.allclose(soft.mean((1, 2, 3)), picture.mean((1, 2, 3)), atol=0.01)
    assert bool((soft.diff(dim=3).abs().mean((1, 2, 3)) < picture.diff(dim=3).abs().mean((1, 2, 3))).all())
