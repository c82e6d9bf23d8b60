"""Layers of streaks."""

from __future__ import annotations

import torch
from drawn import seeded

from irflow_cli.degradations.rain import HEAVY, THIN
from irflow_cli.degradations.streaks import draw_streaks


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
