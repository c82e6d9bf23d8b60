"""Pyramids of pictures with a hole, and what their smaller levels see."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from drawn import scene
from torch.nn import functional as F

from irflow_cli.engines.crops import MARGIN
from irflow_cli.engines.pyramid import MOST, NEAR, SMALLEST, Level, halvings_of, pyramid_of, reach_of
from irflow_cli.flow.coarse import half_size
from irflow_cli.tensors import tensor_of


def picture_of(height: int, width: int) -> torch.Tensor:
    return tensor_of(scene(height, width).astype(np.float32)[None] / 255)


@pytest.mark.parametrize(("depth", "halvings"), [(0, 0), (1, 0), (4, 0), (5, 1), (8, 1), (9, 2), (20, 3)])
def test_a_hole_is_halved_until_it_is_shallow(depth: int, halvings: int) -> None:
    missing = np.zeros((200, 200), bool)
    missing[50 : 50 + 2 * depth - 1 if depth else 50, 10:190] = True
    assert halvings_of(missing) == halvings


def test_every_level_sees_as_much_around_the_hole_while_there_is_picture() -> None:
    hole = 64
    for halvings in range(MOST + 1):
        reach = reach_of(halvings)
        side = hole + 2 * MARGIN
        known = torch.ones(1, 1, side + 2 * reach, side + 2 * reach)
        known[..., reach + MARGIN : -reach - MARGIN, reach + MARGIN : -reach - MARGIN] = 0
        levels = pyramid_of(known.expand(1, 3, -1, -1), known, halvings, [(reach, reach)] * 2)
        assert len(levels) == halvings + 1
        for number, level in enumerate(levels):
            left = (level.known[0, 0] == 0).any(0).nonzero().flatten().tolist()
            margin = NEAR if number else MARGIN
            assert (left[0], level.known.shape[3] - left[-1] - 1) == (margin, margin)
            assert len(left) == hole >> number


@pytest.mark.parametrize("around", [((0, 0), (0, 0)), ((0, 101), (37, 7)), ((144, 53), (49, 150))])
@pytest.mark.parametrize("size", [(130, 97), (64, 200)])
def test_levels_lie_where_they_say_in_the_next_one_doubled(around: list[tuple[int, int]], size: tuple[int, int]) -> None:
    """A smooth picture, found exactly at each smaller level, is the guess at the larger one."""
    height, width = (side + sum(more) for side, more in zip(size, around, strict=True))
    slope = torch.linspace(0.2, 0.5, height)[:, None] + torch.linspace(0, 0.3, width)
    picture, known = slope.expand(1, 3, -1, -1), torch.ones(1, 1, height, width)
    levels = pyramid_of(picture, known, 4, around)
    assert levels[0].picture.shape[2:] == size
    assert len(levels) >= 3
    for larger, smaller in itertools.pairwise(levels):
        guess = larger.guess(smaller.picture)
        assert guess.shape == larger.picture.shape
        inner = (..., slice(8, -8), slice(8, -8))
        assert float((guess - larger.picture)[inner].abs().max()) < 0.003


def test_without_more_around_it_is_the_whole_at_half_the_size() -> None:
    picture = picture_of(96, 160)
    levels = pyramid_of(picture, torch.ones(1, 1, 96, 160), 2)
    assert [level.shape for level in levels] == [(96, 160, 0, 0), (48, 80, 0, 0), (24, 40, 0, 0)]
    assert torch.allclose(levels[1].picture, half_size(picture), atol=1e-6)
    assert torch.allclose(levels[2].picture, F.avg_pool2d(picture, 4), atol=1e-6)
    assert min(levels[2].shape[:2]) < SMALLEST
    assert len(pyramid_of(picture, torch.ones(1, 1, 96, 160), 9)) == 3


def test_levels_together_are_a_batch() -> None:
    one, other = (Level(torch.full((1, 3, 8, 8), value), torch.ones(1, 1, 8, 8), (2, 4)) for value in (0.25, 0.5))
    both = Level.together([one, other])
    assert both.picture.shape == (2, 3, 8, 8)
    assert both.shape == one.shape == (8, 8, 2, 4)
    assert both.picture[:, 0, 0, 0].tolist() == [0.25, 0.5]
