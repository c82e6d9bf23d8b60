"""Rain of every kind, and what is not rain."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from drawn import scenes, seeded
from torch import Tensor
from torch._subclasses import FakeTensorMode

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.degradations.distractors import distractors
from irflow_cli.degradations.rain import from_layers
from irflow_cli.degradations.soften import defocus, soften

KINDS = [kind for kind in DEGRADATIONS if kind.split("-")[0] == "rain"]


OF_CLEAN = {"distractors": distractors, "soften": soften, "defocus": defocus}
CHANGES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = OF_CLEAN | {
    kind: lambda picture, generator, kind=kind: DEGRADATIONS[kind].apply(picture, torch.full((len(picture),), 0.6), generator)
    for kind in KINDS
}


def test_a_veil_takes_more_contrast_far_away_than_the_streaks_of_soft_rain() -> None:
    board = torch.rand((8, 3, 96, 96), generator=seeded())
    left = {kind: change(board, seeded(3)).std() for kind, change in CHANGES.items() if kind in KINDS}
    assert left["rain-veil"] < min(left["rain"], left["rain-soft"])


@pytest.mark.parametrize("name", CHANGES)
def test_grey_pictures_stay_grey(name: str) -> None:
    grey = scenes(8, 64, 80).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    changed = CHANGES[name](grey, seeded())
    assert not torch.allclose(changed, grey)
    assert float((changed - changed.mean(1, keepdim=True)).abs().max()) < 1e-5


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_waits_for_the_host(name: str) -> None:
    with FakeTensorMode():  # raises where a value of a tensor would have to be known
        picture = torch.rand((3, 3, 40, 48))
        assert CHANGES[name](picture, seeded()).shape == picture.shape


@pytest.mark.parametrize("change", OF_CLEAN.values())
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 1, 40), (2, 1, 7, 5), (6, 3, 64, 80)])
def test_changes_of_the_clean_picture_keep_its_shape_and_range(change: Callable, shape: tuple[int, ...]) -> None:
    picture = torch.rand(shape, generator=seeded())
    before = picture.clone()
    first = change(picture, seeded(1))
    assert first.shape == picture.shape
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1 + 1e-6
    assert torch.equal(first, change(picture, seeded(1)))
    assert torch.equal(picture, before)


def test_rain_only_adds_light_where_there_is_no_haze() -> None:
    layers = torch.rand((2, 1, 64, 64), generator=seeded()) * 0.5
    rainy = from_layers(scenes(), torch.ones(2), seeded(), layers)
    assert bool((rainy >= scenes() - 1e-6).all())
    assert float(rainy.max()) <= 1
