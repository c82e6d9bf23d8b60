"""Pyramids of pictures with a hole, and what their smaller levels see."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from drawn import scene
from torch.nn import functional as F

from irflow_cli.engines.crops import MARGIN
from irflow_cli.engines.pyramid import MOST, NEAR, SMALLEST, Level, halvings_of, reach_of
from irflow_cli.engines.views import VIEWS, view_of
from irflow_cli.flow.coarse import half_size
from irflow_cli.tensors import tensor_of


def pyramid_of(level: Level) -> list[Level]:
    smaller = level.smaller()
    return [level, *(pyramid_of(smaller) if smaller else ())]


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
        levels = pyramid_of(Level(known.expand(1, 3, -1, -1), known, ((reach, reach), (reach, reach)), halvings))
        assert len(levels) == halvings + 1
        for number, level in enumerate(levels):
            known = level.inner[1]
            assert len(known) == 2**number
            left = (known[0, 0] == 0).any(0).nonzero().flatten().tolist()
            margin = NEAR if number else MARGIN
            assert (left[0], known.shape[3] - left[-1] - 1) == (margin, margin)
            assert len(left) == hole >> number


@pytest.mark.parametrize("around", [((0, 0), (0, 0)), ((0, 101), (37, 7)), ((144, 53), (49, 150))])
@pytest.mark.parametrize("size", [(130, 97), (64, 200)])
def test_levels_lie_where_they_say_in_the_next_one_doubled(around: tuple[tuple[int, int], ...], size: tuple[int, int]) -> None:
    """A smooth picture, found exactly at each smaller level, is the guess at the larger one."""
    height, width = (side + sum(more) for side, more in zip(size, around, strict=True))
    slope = torch.linspace(0.2, 0.5, height)[:, None] + torch.linspace(0, 0.3, width)
    picture, known = slope.expand(1, 3, -1, -1), torch.ones(1, 1, height, width)
    levels = pyramid_of(Level(picture, known, around, 4))
    assert levels[0].inner[0].shape[2:] == size
    assert len(levels) >= 3
    for larger, smaller in itertools.pairwise(levels):
        guess = larger.guess(smaller.inner[0])
        assert guess.shape == larger.inner[0].shape
        inner = (..., slice(8, -8), slice(8, -8))
        assert float((guess - larger.inner[0])[inner].abs().max()) < 0.003


def test_without_more_around_it_is_the_whole_at_half_the_size() -> None:
    picture, known = picture_of(96, 160), torch.ones(1, 1, 96, 160)
    levels = pyramid_of(Level(picture, known, halvings=2))
    assert [level.picture.shape for level in levels] == [(1, 3, 96, 160), (2, 3, 48, 80), (4, 3, 24, 40)]
    assert torch.allclose(levels[1].picture[:1], half_size(picture), atol=1e-6)
    assert torch.allclose(levels[2].picture[:1], F.avg_pool2d(picture, 4), atol=1e-6)
    assert min(levels[2].known.shape[2:]) < SMALLEST
    assert len(pyramid_of(Level(picture, known, halvings=9))) == 3


@pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 97)])
def test_half_the_size_is_seen_from_two_places_a_pixel_apart(height: int, width: int) -> None:
    picture = picture_of(height, width)
    smaller = Level(picture, torch.ones(1, 1, height, width), halvings=1).smaller()
    assert smaller is not None
    first, second = smaller.picture
    between = half_size(picture[..., 1:, 1:])[0, :, : second.shape[1] - 2, : second.shape[2] - 2]
    assert torch.allclose(second[:, 1:-1, 1:-1], between, atol=1e-6)
    assert not torch.allclose(first, second, atol=0.01)
    assert torch.allclose(second[:, 0, 0], picture[0, :, 0, 0], atol=1e-6)  # the pixel before the first is that again


@pytest.mark.parametrize("view", range(VIEWS))
def test_a_turned_level_is_that_of_the_turned_picture(view: int) -> None:
    level = Level(picture_of(70, 90), torch.ones(1, 1, 70, 90), ((3, 10), (20, 5)), 2)
    turned = level.seen(view)
    assert torch.equal(turned.picture, view_of(level.picture, view))
    assert all(torch.equal(*pair) for pair in zip(turned.inner, (view_of(part, view) for part in level.inner), strict=True))


def test_levels_together_are_a_batch() -> None:
    one, other = (Level(torch.full((1, 3, 8, 8), value), torch.ones(1, 1, 8, 8), ((2, 0), (0, 4)), 1) for value in (0.25, 0.5))
    both = Level.together([one, other])
    assert both.picture.shape == (2, 3, 8, 8)
    assert both.kind == one.kind == other.kind
    assert both.kind != one._replace(halvings=2).kind
    assert both.picture[:, 0, 0, 0].tolist() == [0.25, 0.5]
