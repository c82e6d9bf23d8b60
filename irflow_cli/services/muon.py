"""Muon for convolutions: momentum whose update is made orthogonal, so that every direction of a layer learns equally.

Source: K. Jordan et al., "Muon: an optimizer for hidden layers" (2024); the scale that matches AdamW's step size from
"Muon is scalable for LLM training" (arXiv 2502.16982). torch.optim.Muon takes matrices only; here a convolution's
weights (out, in, kh, kw) are one matrix (out, in kh kw).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class Muon(torch.optim.Optimizer):
    """Optimiser for weights of two axes and more. Cost: about 2 % of an iteration of the base network."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"]
                momentum.lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(momentum, group["momentum"])  # Nesterov's look-ahead
                update = orthogonalised(ahead.flatten(1)).view_as(ahead)
                scale = 0.2 * max(update.shape[0], update[0].numel()) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)


def orthogonalised(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Return a matrix (m, n) of the same singular vectors whose singular values are all near 1, by Newton-Schulz."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
