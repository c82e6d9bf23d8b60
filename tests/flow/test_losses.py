"""Every term of the loss trains something."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from irflow_cli.flow.losses import DISTANCES, consistency_loss, residual_loss
from irflow_cli.flow.times import make_times


class Linear(nn.Module):
    """The smallest residual network: r = a x + b t."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.3)), nn.Parameter(torch.tensor(0.1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.a * x + self.b * t[:, None, None, None]


def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand((2, 3, 4, 4), generator=generator)
    return clean + 0.2 * torch.randn(clean.shape, generator=generator), clean


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_consistency_term_changes_the_gradient(name: str, steps: int) -> None:
    degraded, clean = pair()
    net, start = Linear(), torch.zeros(2)
    t = torch.tensor([0.0, 0.5])
    alone = residual_loss(net, degraded, start, clean, t, DISTANCES[name])
    term = consistency_loss(net, degraded, make_times("uniform", steps, start), clean, DISTANCES[name])
    gradients = [torch.stack(torch.autograd.grad(loss, list(net.parameters()))) for loss in (alone, term)]
    assert gradients[0].abs().min() > 0
    assert gradients[1][0].abs() > 0
    if steps > 1:  # the last step is asked at t > 0, so that the time's weight is trained too
        assert gradients[1][1].abs() > 0


@pytest.mark.parametrize("name", DISTANCES)
def test_a_perfect_network_has_no_loss(name: str) -> None:
    degraded, clean = pair()
    start = torch.tensor([0.0, 0.4])

    def perfect(x: Tensor, t: Tensor) -> Tensor:
        return x - clean

    assert residual_loss(perfect, degraded, start, clean, torch.tensor([0.1, 0.7]), DISTANCES[name]) < 1e-6
    assert consistency_loss(perfect, degraded, make_times("released", 3, start), clean, DISTANCES[name]) < 1e-6


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_grow_with_the_error(name: str) -> None:
    small, large = DISTANCES[name](torch.full((2, 4), 0.01)), DISTANCES[name](torch.full((2, 4), -0.1))
    assert 0 < small < large
