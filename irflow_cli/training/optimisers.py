"""The optimisers of a run, their learning rate, and the running average of the weights."""

from __future__ import annotations

from typing import Any

import torch

from irflow_cli.nets import Network
from irflow_cli.training.muon import Muon
from irflow_cli.training.options import TrainRequest


def make_optimisers(net: Network, request: TrainRequest) -> tuple[torch.optim.Optimizer, ...]:
    """Return the optimisers of a run: Muon for the inner convolutions and AdamW for the rest, or AdamW for all."""
    inner = [p for name, p in net.named_parameters() if p.ndim == 4 and not name.startswith(("entry", "exit"))]
    inner = inner if request.optimiser == "muon" else []
    others = [p for p in net.parameters() if all(p is not q for q in inner)]
    adamw = torch.optim.AdamW(others, lr=request.rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    optimisers = (adamw, Muon(inner, lr=3 * request.rate)) if inner else (adamw,)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers


def lr_factor(progress: float, iteration: int, request: TrainRequest) -> float:
    """Return the factor of the learning rate: warm-up, then constant, then down to zero in the last `decay` of the run.

    Without decay the rate is constant, so a run can be continued for ever.
    """
    warm = min(1.0, (iteration + 1) / max(1, request.warmup))
    return warm * (min(1.0, (1 - progress) / request.decay) if request.decay else 1.0)


def move_average(averaged: Any, current: Any, count: Any) -> None:
    """Move the average by 1/1000 of the way, faster in the beginning."""
    weight = max(1e-3, 1 / (1 + float(count) / 9)) if float(count) < 9000 else 1e-3
    for ours, theirs in zip(averaged, current, strict=True):
        ours.lerp_(theirs, weight)
