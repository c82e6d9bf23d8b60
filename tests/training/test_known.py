"""Holes of many shapes to train a prior with."""

from __future__ import annotations

import torch

from irflow_cli.training.known import cut, draw_known, film_holes


def test_a_prior_learns_the_holes_of_scanned_film() -> None:
    holes = film_holes(6, 96)
    assert all(0.001 < float(hole.mean()) < 0.5 for hole in holes)
    known = draw_known(400, 64, 64, torch.Generator().manual_seed(1), 1.0, holes)
    without = draw_known(400, 64, 64, torch.Generator().manual_seed(1), 1.0)
    changed = (known != without).flatten(1).any(1)
    assert 0.05 < float(changed.float().mean()) < 0.15
    squares = torch.zeros(1, 1, 40, 40)
    squares[..., 5:15, 20:30] = 1
    parts = cut(squares, 20, 20, 20, torch.Generator().manual_seed(1))
    assert bool(((parts == 0) | (parts == 1)).all())
    assert len(parts.unique(dim=0)) > 5
