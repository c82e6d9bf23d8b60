"""Rain of every kind, and what is not rain."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from drawn import scene
from torch import Tensor
from torch._subclasses import FakeTensorMode

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.degradations.distractors import distractors
from irflow_cli.degradations.rain import HEAVY, THIN
from irflow_cli.degradations.soften import soften
from irflow_cli.degradations.streaks import draw_streaks

KINDS = [kind for kind in DEGRADATIONS if kind.split("-")[0] == "rain"]


def clean(count: int = 8, height: int = 64, width: int = 80) -> Tensor:
    return torch.stack([torch.from_numpy(scene(height, width, seed)).permute(2, 0, 1) / 255 for seed in range(count)])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


CHANGES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {"distractors": distractors, "soften": soften} | {
    kind: lambda picture, generator, kind=kind: DEGRADATIONS[kind].apply(picture, torch.full((len(picture),), 0.6), generator)
    for kind in KINDS
}


def test_heavy_layers_are_like_those_of_the_public_sets() -> None:
    """Of 18 layers of Rain100H's kind: mean 0.2, its range 0.03 to 0.33, light in 86 of 100 pixels, 99 of 100 below 0.6."""
    layers = draw_streaks((HEAVY,), (160, 160), torch.linspace(0.1, 1, 24), seeded())
    means = layers.mean((1, 2, 3))
    assert 0.14 < float(means.median()) < 0.26
    assert float(means.min()) < 0.08
    assert 0.28 < float(means.max()) < 0.45
    assert 0.75 < float((layers > 8 / 255).float().mean((1, 2, 3)).median()) < 0.95
    assert 0.4 < float(layers.flatten(1).quantile(0.99, dim=1).median()) < 0.65
    across, along = (layers.diff(dim=axis).abs().mean((1, 2, 3)) for axis in (3, 2))
    assert bool((across > 1.5 * along).all())


def test_thin_rain_leaves_most_of_the_picture_dry() -> None:
    layers = draw_streaks((THIN,), (160, 160), torch.full((24,), 0.7), seeded())
    assert float((layers > 8 / 255).float().mean((1, 2, 3)).median()) < 0.25
    assert 0.1 < float(layers.amax((1, 2, 3)).median()) < 0.9


def test_a_veil_takes_more_contrast_far_away_than_the_streaks_of_soft_rain() -> None:
    board = torch.rand((8, 3, 96, 96), generator=seeded())
    left = {kind: change(board, seeded(3)).std() for kind, change in CHANGES.items() if kind in KINDS}
    assert left["rain-veil"] < min(left["rain"], left["rain-soft"])


@pytest.mark.parametrize("name", CHANGES)
def test_grey_pictures_stay_grey(name: str) -> None:
    grey = clean().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    changed = CHANGES[name](grey, seeded())
    assert not torch.allclose(changed, grey)
    assert float((changed - changed.mean(1, keepdim=True)).abs().max()) < 1e-5


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_waits_for_the_host(name: str) -> None:
    with FakeTensorMode():  # raises where a value of a tensor would have to be known
        picture = torch.rand((3, 3, 40, 48))
        assert CHANGES[name](picture, seeded()).shape == picture.shape


@pytest.mark.parametrize("change", [distractors, soften])
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


def test_distractors_are_bright_and_dark_and_in_nearly_every_picture() -> None:
    picture = torch.full((60, 3, 48, 48), 0.5)
    changed = distractors(picture, seeded()) - 0.5
    assert float((changed.abs().amax((1, 2, 3)) > 0.05).float().mean()) > 0.9
    assert float((changed > 0.2).float().mean()) > 0.03
    assert float((changed < -0.2).float().mean()) > 0.03
    assert float((changed.abs() < 0.01).float().mean()) > 0.4  # lines, not floods


def test_soft_pictures_keep_their_tone_and_lose_their_finest_detail() -> None:
    picture = torch.rand((8, 3, 64, 64), generator=seeded())
    soft = soften(picture, seeded())
    assert torch.allclose(soft.mean((1, 2, 3)), picture.mean((1, 2, 3)), atol=0.01)
    assert bool((soft.diff(dim=3).abs().mean((1, 2, 3)) < picture.diff(dim=3).abs().mean((1, 2, 3))).all())
