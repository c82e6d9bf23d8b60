"""Smaller pictures."""

from __future__ import annotations

import pytest
import torch
from drawn import scenes

from irflow_cli.degradations.shrink import SHRINKS
from irflow_cli.flow.observations import OPERATORS


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_was_made_smaller_is_what_upscaling_sees(kind: str, scale: int) -> None:
    height, width = 48 // scale * scale, 60 // scale * scale
    picture = scenes(1, height, width)
    small = SHRINKS[kind](picture, scale)
    assert small.shape == (1, 3, height // scale, width // scale)
    seen = OPERATORS[kind](small, scale)
    assert torch.allclose(seen.project(picture), seen.picture, atol=1e-6)
    assert SHRINKS.keys() == OPERATORS.keys()


def test_what_is_left_of_a_block_is_cut_off() -> None:
    assert all(shrink(scenes(1, 49, 61), 4).shape == (1, 3, 12, 15) for shrink in SHRINKS.values())
