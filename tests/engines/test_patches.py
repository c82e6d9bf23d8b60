"""Patches that are alike are found."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from drawn import disc

from irflow_cli.engines.patches import Places, nearest


def test_few_pairs_and_many_find_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    random, hole = torch.Generator().manual_seed(0), disc(60, 60, 8)
    places = Places.around(hole, ~hole)
    soft = cv2.GaussianBlur(np.random.default_rng(0).standard_normal((60, 60, 3)).astype(np.float32), (0, 0), 3)
    looks = torch.from_numpy(soft / soft.std()).flatten(0, 1)
    wanted = looks[places.flat(places.centres + torch.tensor([20, 0]))]
    exact = nearest(wanted, looks, places, places.anywhere(random) - places.centres, random)
    monkeypatch.setattr("irflow_cli.engines.patches.PAIRS", 0)
    ways, least = places.anywhere(random) - places.centres, None
    for _ in range(10):
        ways, least = nearest(wanted, looks, places, ways, random)
    assert least is not None
    assert places.valid(places.centres + ways).all()
    assert (least >= exact[1] - 1e-3).all()
    assert (least <= exact[1] + 1e-3).float().mean() > 0.7
