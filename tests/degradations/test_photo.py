"""Noise of photographs and of film."""

from __future__ import annotations

import pytest
import torch
from drawn import seeded

from irflow_cli.degradations import photo


@pytest.fixture
def never_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = photo._stored
    monkeypatch.setattr(photo, "_stored", lambda *given, share: stored(*given, share=0.0))


def likeness(noise: torch.Tensor) -> float:
    """Return how much of the noise neighbours have in common."""
    return float((noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean())


@pytest.mark.parametrize("kind", [photo.photo, photo.grain])
def test_the_noise_has_the_given_deviation_and_is_soft(kind, never_compressed) -> None:
    grey = torch.full((8, 3, 120, 120), 0.5)
    noisy = kind(grey, torch.full((8,), 12.0), seeded())
    noise = noisy - grey
    assert 255 * float(noise.std((1, 2, 3)).mean()) == pytest.approx(12, rel=0.02)
    assert likeness(noise) > 0.3
    assert float(((255 * noisy).round() - 255 * noisy).abs().max()) < 1e-3  # saved in 8 bits


def test_grain_is_strongest_in_the_middle_tones(never_compressed) -> None:
    halves = torch.cat([torch.full((4, 3, 96, 48), 0.5), torch.full((4, 3, 96, 48), 0.9)], dim=3)
    noise = photo.grain(halves, torch.full((4,), 8.0), seeded()) - halves
    assert float(noise[..., :48].std()) > 1.3 * float(noise[..., 48:].std())
