"""The optimisers of a run, their learning rate, and the running average of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from irflow_cli.nets import Network
from irflow_cli.training.muon import Muon
from irflow_cli.training.options import TrainRequest


def make_optimisers(net: Network, request: TrainRequest) -> tuple[torch.optim.Optimizer, ...]:
    """Return the optimisers of a run: Muon for the inner convolutions and AdamW for the rest, or AdamW for all."""
    inner = [p for name, p in net.named_parameters() if p.ndim == 4 and not name.startswith(("entry", "exit"))]
    inner = inner if request.optimiser == "muon" else []
    others = [p for p in net.parameters() if all(p is not q for q in inner)]
    options: dict[str, Any] = {"lr": request.rate, "betas": (0.9, 0.99), "weight_decay": 1e-4}
    try:
        adamw = torch.optim.AdamW(others, fused=True, **options)
    except RuntimeError:  # a device whose torch has no fused kernel
        adamw = torch.optim.AdamW(others, **options)
    optimisers = (adamw, Muon(inner, lr=3 * request.rate)) if inner else (adamw,)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers


def lr_factor(share: float, iteration: int, request: TrainRequest) -> float:
    """Return the factor of the learning rate: warm-up, then constant, then down to zero in the last `decay` of the run.

    Without decay the rate is constant, so a run can be continued for ever.
    """
    warm = min(1.0, (iteration + 1) / max(1, request.warmup))
    return warm * (min(1.0, (1 - share) / request.decay) if request.decay else 1.0)


@torch.no_grad()
def move_average(averaged: nn.Module, current: nn.Module, iteration: int) -> None:
    """Move the running average of the weights by 1/1000 of the way after an iteration (1 the first), more in the beginning."""
    weight = max(1e-3, 1 / (1 + (iteration - 1) / 9))
    ours: list[torch.Tensor] = list(averaged.parameters())
    theirs: list[torch.Tensor] = list(current.parameters())
    torch._foreach_lerp_(ours, theirs, weight)  # pyright: ignore[reportPrivateImportUsage]
