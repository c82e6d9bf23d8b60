"""Holes of many shapes to train a prior with."""

from __future__ import annotations

import torch

from irflow_cli.training.known import boxes, cut, draw_known, film_holes, strokes


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


def test_a_prior_learns_holes_of_all_sizes() -> None:
    for shape, most in ((strokes, 0.6), (boxes, 0.9)):
        holes = shape(200, 64, 96, torch.Generator().manual_seed(1))
        assert holes.shape == (200, 1, 64, 96)
        share = holes.float().mean((1, 2, 3))
        assert 0 < float(share.median()) < 0.3
        assert float(share.max()) < most
        assert float((share > 0.15).float().mean()) > 0.1
        assert float((share < 0.05).float().mean()) > 0.05
        assert len(holes.unique(dim=0)) > 150
    known = draw_known(400, 48, 48, torch.Generator().manual_seed(2), 1.0)
    assert 0.4 < float(known.mean()) < 0.8
