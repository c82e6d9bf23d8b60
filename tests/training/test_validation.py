"""Held-out pictures are degraded once and for all, and measured after one step."""

from __future__ import annotations

import pytest
import torch
from drawn import scenes

from irflow_cli.flow.coarse import GUESSED_AT
from irflow_cli.training.sampling import Source
from irflow_cli.training.validation import validate


class Knows(torch.nn.Module):
    """A network that leaves a share of what is wrong."""

    def __init__(self, clean: torch.Tensor, share: float) -> None:
        super().__init__()
        self.clean, self.share = clean, share

    def forward(self, x: torch.Tensor, t: torch.Tensor, degraded: torch.Tensor) -> torch.Tensor:
        return (1 - self.share) * (x - self.clean)


@pytest.mark.parametrize(("share", "psnr"), [(0.0, 60.0), (0.5, 20.0), (1.0, 14.0)])
def test_what_one_step_leaves_is_measured(share: float, psnr: float) -> None:
    clean = (scenes(2) * 0.5 * 255).round() / 255
    sources = [Source(clean + 0.2, clean, torch.zeros(2))]
    assert validate(Knows(clean, share), sources) == pytest.approx(psnr, abs=0.1)  # type: ignore[arg-type]


def test_holes_are_measured_from_guesses_too() -> None:
    clean = scenes(1).expand(8, -1, -1, -1)
    times = (torch.arange(clean.shape[3]) >= 20).float().expand_as(clean[:, :1])
    seen: list[float] = []

    def net(x: torch.Tensor, t: torch.Tensor, degraded: torch.Tensor | None = None) -> torch.Tensor:
        seen.append(float(t[:, :, :, 0].max()))
        return torch.zeros_like(x)

    validate(net, [Source(clean, clean, times)], 0.5)  # type: ignore[arg-type]
    assert seen == [0.0, *[pytest.approx(GUESSED_AT)] * 3]
    seen.clear()
    validate(net, [Source(clean, clean, times)])  # type: ignore[arg-type]
    assert seen == [0.0]
