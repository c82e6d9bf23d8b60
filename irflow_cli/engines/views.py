"""The eight views of a picture, mirrored and turned, whose answers are averaged (self-ensemble, arXiv 1707.02921)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

VIEWS = 8


def view_of(picture: Tensor, view: int) -> Tensor:
    """Return a picture, or what lies over it, (..., H, W), turned left by `view` quarters; views 4 to 7 are mirrored first.
    What has no places, (B,), stays."""
    if picture.ndim < 2 or not view:
        return picture
    return (picture.flip(-1) if view >= 4 else picture).rot90(view % 4, (-2, -1))


def from_view(seen: Tensor, view: int) -> Tensor:
    """Return the picture whose `view_of` is `seen`."""
    if seen.ndim < 2 or not view:
        return seen
    picture = seen.rot90(-(view % 4), (-2, -1))
    return picture.flip(-1) if view >= 4 else picture


def mean_of_views(answer: Callable[[int], Tensor], views: int) -> Tensor:
    """Return the mean of what `answer` gives for each of the first so many views, brought back from them."""
    total = answer(0)
    for view in range(1, views):
        total = total + from_view(answer(view), view)
    return total / views if views > 1 else total
