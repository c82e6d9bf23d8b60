"""Holes of many shapes to train a prior with."""

from __future__ import annotations

import torch

from irflow_cli.training.known import POOL, cut, draw_known, hole_pool


def test_a_prior_learns_the_holes_of_hands_and_time() -> None:
    holes = hole_pool(96)
    assert holes.shape == (sum(POOL.values()), 1, 96, 96)
    shares = holes.float().mean((1, 2, 3))
    assert 0 < float(shares.min()) < 0.05 < 0.15 < float(shares.max()) < 0.7
    assert len(holes.unique(dim=0)) == len(holes)
    known = draw_known(400, 64, 64, torch.Generator().manual_seed(1), 1.0, holes)
    without = draw_known(400, 64, 64, torch.Generator().manual_seed(1), 1.0)
    changed = (known != without).flatten(1).any(1)
    assert 0.4 < float(changed.float().mean()) < 0.6
    assert 0.4 < float(known.mean()) < 0.8


def test_parts_of_holes_are_holes() -> None:
    squares = torch.zeros(1, 1, 40, 40)
    squares[..., 5:15, 20:30] = 1
    parts = cut(squares, 20, 20, 20, torch.Generator().manual_seed(1))
    assert bool(((parts == 0) | (parts == 1)).all())
    assert len(parts.unique(dim=0)) > 5
