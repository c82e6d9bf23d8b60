"""Pieces are copied and blended."""

from __future__ import annotations

import numpy as np
import torch

from irflow_cli.engines.pieces import Pieces


def test_a_copy_of_another_brightness_blends_in() -> None:
    """A step of brightness between a hole and where it is copied from goes, its texture stays."""
    texture = np.random.default_rng(0).uniform(0, 0.2, (64, 64, 1)).astype(np.float32).repeat(3, 2)
    colours = np.concatenate([texture, texture + 0.1], 1)
    hole = np.zeros((64, 128), bool)
    hole[20:40, 20:40] = True
    field = torch.zeros(64, 128, 2, dtype=torch.int64)
    field[..., 1] = 64
    pieces = Pieces(colours, hole, field)
    pieces.blend()
    assert np.abs(pieces.filled()[hole] - colours[hole]).max() < 1e-3
    assert not pieces.seams()[24:36, 24:36].any()
