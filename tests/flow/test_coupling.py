"""Noise is paired with pictures that are near it."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from irflow_cli.flow import coupling


def cost_of(order: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> float:
    return float((source[order] - target).square().sum())


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 17, 40])
def test_pairing_is_an_order_that_costs_no_more(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    source, target = torch.randn(count, 3, 4, 4, generator=generator), torch.rand(count, 3, 4, 4, generator=generator)
    order = coupling.transport_pairing(source, target)
    assert order.sort().values.tolist() == list(range(count))
    assert cost_of(order, source, target) <= cost_of(torch.arange(count), source, target) + 1e-4


def test_pairing_comes_near_the_best_of_a_group() -> None:
    source = torch.randn(16, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    target = torch.rand(16, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    costs = (source[None] - target[:, None]).flatten(2).square().sum(2)  # target by source
    best = torch.from_numpy(linear_sum_assignment(costs.numpy())[1])
    order = coupling.transport_pairing(source, target)
    worst, least, ours = (cost_of(one, source, target) for one in (torch.arange(16), best, order))
    assert worst - ours > 0.8 * (worst - least)
    shuffled = torch.tensor([3, 0, 4, 1, 2])
    assert torch.equal(shuffled[coupling.transport_pairing((target[:5] + 0.01)[shuffled], target[:5])], torch.arange(5))
