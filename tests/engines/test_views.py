"""The views of a picture and back."""

from __future__ import annotations

import pytest
import torch

from irflow_cli.engines.views import VIEWS, from_view, mean_of_views, view_of


@pytest.mark.parametrize("view", range(VIEWS))
def test_a_view_comes_back(view: int) -> None:
    picture = torch.rand(2, 3, 4, 6)
    assert torch.equal(from_view(view_of(picture, view), view), picture)
    times = torch.rand(2)
    assert torch.equal(view_of(times, view), times)
    assert torch.equal(from_view(times, view), times)


def test_views_differ_and_the_first_four_are_turns_alone() -> None:
    square = torch.arange(9.0).view(3, 3)
    views = [tuple(view_of(square, view).flatten().tolist()) for view in range(VIEWS)]
    assert len(set(views)) == VIEWS
    for view in range(4):
        assert torch.equal(view_of(square, view), square.rot90(view))


@pytest.mark.parametrize("views", [1, 4, VIEWS])
def test_the_mean_of_views_is_that_of_turned_answers(views: int) -> None:
    picture, times = torch.rand(1, 3, 5, 7), torch.rand(1)
    slope = lambda seen, t: seen + torch.linspace(0, 1, seen.shape[3]) * t  # noqa: E731
    found = mean_of_views(lambda view: slope(view_of(picture, view), times), views)
    assert found.shape == picture.shape
    expected = torch.stack([from_view(slope(view_of(picture, view), times), view) for view in range(views)]).mean(0)
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(mean_of_views(lambda view: view_of(picture, view), views), picture, atol=1e-6)
