"""Held-out pictures are degraded once and for all, and measured after one step."""

from __future__ import annotations

import pytest
import torch
from drawn import scenes

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
