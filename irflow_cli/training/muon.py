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


class Muon(torch.optim.Optimizer):
    """Optimiser for weights of two axes and more."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; weights of one shape are worked on together."""
        for group in self.param_groups:
            same_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    same_shape[parameter.shape].append(parameter)
            for shape, parameters in same_shape.items():
                ahead = self._ahead(parameters, group["momentum"])
                updates = orthogonalised(torch.stack([one.flatten(1) for one in ahead]))  # (n, out, in kh kw)
                scale = 0.2 * max(updates.shape[1:]) ** 0.5
                torch._foreach_add_(parameters, list(updates.view(-1, *shape)), alpha=-group["lr"] * scale)  # pyright: ignore[reportPrivateImportUsage]

    def _ahead(self, parameters: list[Tensor], momentum: float) -> list[Tensor]:
        """Return Nesterov's look-ahead of the momenta, after taking the gradients in."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        momenta = [self.state[parameter]["momentum"] for parameter in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - momentum)  # pyright: ignore[reportPrivateImportUsage]
        return list(torch._foreach_lerp(gradients, momenta, momentum))  # pyright: ignore[reportPrivateImportUsage]


def orthogonalised(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Return matrices (n, rows, columns) of the same singular vectors, with singular values all near 1.

    Newton-Schulz iterations x <- (a + b g + c g^2) x with g = x x^T. All powers of g commute, so the products run on the
    small square matrices alone and x is multiplied once, at the end.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    gram = x @ x.mT
    total = identity = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    for _ in range(iterations):
        factor = torch.baddbmm(a * identity + b * gram, gram, gram, alpha=c)
        total, gram = factor @ total, factor @ factor @ gram
    x = total @ x
    return x.mT if tall else x
