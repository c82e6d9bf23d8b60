"""Muon: updates are orthogonal, and it minimises."""

from __future__ import annotations

import pytest
import torch

from irflow_cli.training.muon import Muon, orthogonalised_together


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 6, 40), (3, 40, 6)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    (result,) = orthogonalised_together([matrices], one_size=False)
    values = torch.linalg.svdvals(result)
    assert bool(((values > 0.3) & (values < 1.3)).all())
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    diagonal = u.mT @ result @ v.mT
    assert torch.allclose(diagonal, torch.diag_embed(diagonal.diagonal(dim1=1, dim2=2)), atol=1e-3)


@pytest.mark.parametrize("one_size", [False, True])
def test_stacks_of_several_sizes_are_worked_on_as_alone(one_size: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    stacks = [torch.randn(shape, generator=generator) for shape in ((2, 8, 72), (1, 16, 8), (3, 16, 144), (1, 24, 24))]
    for stack, together in zip(stacks, orthogonalised_together(stacks, one_size), strict=True):
        (alone,) = orthogonalised_together([stack], one_size=False)
        assert torch.allclose(together, alone, atol=1e-5)


def test_a_convolution_is_fitted() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randn((4, 3, 3, 3), generator=generator)
    weight = torch.zeros_like(target).requires_grad_()
    optimiser = Muon([weight], lr=0.05)
    errors = []
    for _ in range(80):
        loss = (weight - target).square().mean()
        errors.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert errors[-1] < 0.1 * errors[0]
