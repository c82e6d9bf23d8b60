"""Drops on the glass are what a lens would see of them."""

from __future__ import annotations

import pytest
import torch
from drawn import seeded

from irflow_cli.degradations import degrade
from irflow_cli.degradations.raindrops import Pane, out_of_focus, seen_through


@pytest.mark.parametrize("blur", [0.0, 0.7, 3.5, 40.0])
def test_no_light_is_lost_out_of_focus(blur: float) -> None:
    pane = torch.rand((2, 4, 48, 61), generator=seeded())
    seen = out_of_focus(pane, torch.full((2,), blur), seeded(1))
    assert torch.allclose(seen.mean((2, 3)), pane.mean((2, 3)), atol=1e-5)
    assert float(seen.std()) < float(pane.std()) * (1.001 if blur == 0 else 0.9)


def test_in_focus_nothing_is_spread() -> None:
    pane = torch.rand((2, 4, 48, 61), generator=seeded())
    assert torch.allclose(out_of_focus(pane, torch.zeros(2), seeded(1)), pane, atol=1e-5)


def test_a_point_of_light_becomes_the_lens_s_opening() -> None:
    pane = torch.zeros((1, 1, 65, 65))
    pane[..., 32, 32] = 1
    seen = out_of_focus(pane, torch.tensor([10.0]), seeded())[0, 0]
    rows, columns = torch.meshgrid(torch.arange(65) - 32, torch.arange(65) - 32, indexing="ij")
    distance = (rows.square() + columns.square()).sqrt()
    inside, outside = seen[distance < 5], seen[distance > 15]
    assert float(inside.min()) == pytest.approx(float(inside.max()), rel=1e-3)
    assert float(outside.abs().max()) < 1e-6


def test_drops_are_brighter_than_what_they_cover_more_often_than_darker() -> None:
    dark, bright = torch.full((64, 3, 96, 96), 0.25), torch.full((64, 3, 96, 96), 0.8)
    on_dark = degrade(dark, "raindrops", 0.6, generator=seeded()) - dark
    on_bright = degrade(bright, "raindrops", 0.6, generator=seeded()) - bright
    assert float((on_dark > 10 / 255).float().mean()) > 3 * float((on_dark < -10 / 255).float().mean())
    assert float((on_bright < -10 / 255).float().mean()) > 0.05  # they show the ground too


def test_drops_show_the_sky_below_and_the_ground_above() -> None:
    across, down = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 48), indexing="xy")
    slope = torch.stack([across, down]).expand(64, -1, -1, -1)
    cover, ground = torch.ones((64, 1, 48, 48)), torch.full((64, 3, 24, 24), 0.2)
    light = seen_through(Pane(cover, slope, cover), ground, torch.ones((64, 3, 1, 1)), seeded())
    above, below = (light[..., down.abs().gt(0.2) & part & (across.abs() < 0.5)].mean((1, 2)) for part in (down < 0, down > 0))
    assert bool((below > 1.5 * above).all())
