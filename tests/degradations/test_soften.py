"""Softer pictures."""

from __future__ import annotations

import torch
from drawn import seeded

from irflow_cli.degradations.soften import defocus, soften


def test_soft_pictures_keep_their_tone_and_lose_their_finest_detail() -> None:
    picture = torch.rand((8, 3, 64, 64), generator=seeded())
    soft = soften(picture, seeded())
    assert torch.allclose(soft.mean((1, 2, 3)), picture.mean((1, 2, 3)), atol=0.01)
    assert bool((soft.diff(dim=3).abs().mean((1, 2, 3)) < picture.diff(dim=3).abs().mean((1, 2, 3))).all())


def test_what_is_out_of_focus_loses_its_detail_and_the_rest_keeps_all() -> None:
    picture = torch.rand((24, 3, 64, 64), generator=seeded())
    shallow = defocus(picture, seeded())
    assert torch.allclose(shallow.square().mean((1, 2, 3)), picture.square().mean((1, 2, 3)), atol=0.02)  # the light
    detail = shallow.diff(dim=3).abs().mean(1)
    sharp = (shallow - picture).abs().mean(1) < 1 / 255
    assert sharp.any((1, 2)).any()
    assert not sharp.flatten(1).any(1).all()
    assert float(detail[:, :, 1:][~sharp[:, :, 2:]].median()) < 0.1 * float(picture.diff(dim=3).abs().median())
