"""Pictures with holes at half their size, and back."""

from __future__ import annotations

import pytest
import torch
from drawn import scenes
from torch.nn import functional as F

from irflow_cli.flow.coarse import doubled, half_size, halved


def test_half_the_size_knows_what_any_of_four_pixels_tells() -> None:
    picture = torch.tensor([[0.2, 0.4, 0.9, 0.9], [0.6, 0.9, 0.9, 0.9]]).expand(1, 3, 2, 4)
    known = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0]])[None, None]
    small, seen = halved(picture, known)
    assert small.shape == (1, 3, 1, 2)
    assert seen.tolist() == [[[[1, 0]]]]
    assert small[0, :, 0, 0].tolist() == pytest.approx([0.4] * 3)
    assert small[0, :, 0, 1].tolist() == [0] * 3


@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (1, 3)])
def test_known_pictures_come_back_from_half_the_size_where_they_are_smooth(shape: tuple[int, int]) -> None:
    slope = torch.linspace(0, 1, shape[0])[:, None] * 0.3 + torch.linspace(0, 1, shape[1]) * 0.5
    picture = slope.expand(1, 3, *shape)
    small, seen = halved(picture, torch.ones(1, 1, *shape))
    assert bool((seen == 1).all())
    assert small.shape[2:] == (-(-shape[0] // 2), -(-shape[1] // 2))
    back = doubled(small, *shape)
    assert back.shape == picture.shape
    assert float((back - picture).abs().max()) < 0.3


def test_without_holes_it_is_the_mean_of_four_and_bicubic_interpolation() -> None:
    picture = scenes(1)
    small, _ = halved(picture, torch.ones_like(picture[:, :1]))
    assert torch.allclose(small, F.avg_pool2d(picture, 2), atol=1e-6)
    assert torch.equal(small, half_size(picture))
    assert torch.allclose(
        doubled(small, *picture.shape[2:]), F.interpolate(small, picture.shape[2:], mode="bicubic"), atol=1e-6
    )
