"""Muon for convolutions: momentum whose update is made orthogonal, so that every direction of a layer learns equally.

Source: K. Jordan et al., "Muon: an optimizer for hidden layers" (2024); the scale that matches AdamW's step size from
"Muon is scalable for LLM training" (arXiv 2502.16982). torch.optim.Muon takes matrices only; here a convolution's
weights (out, in, kh, kw) are one matrix (out, in kh kw).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F


class Muon(torch.optim.Optimizer):
    """Optimiser for weights of two axes and more."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; on a GPU all are worked on together, elsewhere those of one size."""
        for group in self.param_groups:
            parameters = [one for one in group["params"] if one.grad is not None]
            if not parameters:
                continue
            same_shape: dict[torch.Size, list[int]] = defaultdict(list)
            for index, parameter in enumerate(parameters):
                same_shape[parameter.shape].append(index)
            ahead = self._ahead(parameters, group["momentum"])
            stacks = [torch.stack([ahead[index].flatten(1) for index in indices]) for indices in same_shape.values()]
            for (shape, indices), updates in zip(
                same_shape.items(), orthogonalised_together(stacks, parameters[0].device.type != "cpu"), strict=True
            ):
                scale = 0.2 * max(updates.shape[1:]) ** 0.5
                moved = [parameters[index] for index in indices]
                torch._foreach_add_(moved, list(updates.view(-1, *shape)), alpha=-group["lr"] * scale)  # pyright: ignore[reportPrivateImportUsage]

    def _ahead(self, parameters: list[Tensor], momentum: float) -> list[Tensor]:
        """Return Nesterov's look-ahead of the momenta, after taking the gradients in."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        momenta = [self.state[parameter]["momentum"] for parameter in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - momentum)  # pyright: ignore[reportPrivateImportUsage]
        return list(torch._foreach_lerp(gradients, momenta, momentum))  # pyright: ignore[reportPrivateImportUsage]


def orthogonalised_together(stacks: list[Tensor], one_size: bool) -> list[Tensor]:
    """Return stacks of matrices (n, rows, columns) of the same singular vectors, with singular values all near 1.

    Newton-Schulz iterations x <- (a + b g + c g^2) x with g = x x^T. All powers of g commute, so the products run on the
    small square matrices alone and x is multiplied once, at the end. Square matrices of one size share a product; with
    `one_size` all do, the smaller ones with zeros around, which stay apart: fewer and larger operations, as a GPU likes them.
    """
    wide = [stack.mT if stack.shape[1] > stack.shape[2] else stack for stack in stacks]
    wide = [x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7) for x in wide]
    most = max(x.shape[1] for x in wide)
    by_side: dict[int, list[int]] = defaultdict(list)
    for place, x in enumerate(wide):
        by_side[most if one_size else x.shape[1]].append(place)
    results: dict[int, Tensor] = {}
    for side, places in by_side.items():
        grams = [wide[place] @ wide[place].mT for place in places]
        total = polynomial(torch.cat([F.pad(gram, 2 * (0, side - gram.shape[1])) for gram in grams]))
        for place, factor in zip(places, total.split([len(gram) for gram in grams]), strict=True):
            rows = wide[place].shape[1]
            x = factor[:, :rows, :rows] @ wide[place]
            results[place] = x.mT if stacks[place].shape[1] > stacks[place].shape[2] else x
    return [results[place] for place in range(len(stacks))]


def polynomial(gram: Tensor, iterations: int = 5) -> Tensor:
    """Return what matrices x of which `gram` (n, side, side) is x x^T have to be multiplied by."""
    a, b, c = 3.4445, -4.7750, 2.0315
    identity = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    total = factor = torch.baddbmm(a * identity + b * gram, gram, gram, alpha=c)
    for _ in range(iterations - 1):
        gram = factor @ factor @ gram
        factor = torch.baddbmm(a * identity + b * gram, gram, gram, alpha=c)
        total = factor @ total
    return total
