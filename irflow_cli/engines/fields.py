"""The one adapter: from a network, whatever its contract says, to the velocity field that samplers follow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from irflow_cli.engines.backends import Engine
from irflow_cli.flow.samplers import Velocity
from irflow_cli.nets import Network
from irflow_cli.tensors import match_dims

NEAR_THE_END = 1e-3  # known pixels of a map of times stand at t = 1, where a velocity has no meaning and is kept finite


def _remaining(t: Tensor, like: Tensor) -> Tensor:
    """Return 1 - t, shaped so that it divides `like` picture by picture, or pixel by pixel."""
    return (1 - t).clamp_min(NEAR_THE_END) if t.ndim == 4 else 1 - match_dims(t, like)


# By what a network predicts: (prediction, x_t, t) -> dx/dt, all in one range.
CONVERSIONS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "velocity": lambda velocity, x_t, t: velocity,
    "residual": lambda residual, x_t, t: -residual / _remaining(t, residual),
    "clean": lambda clean, x_t, t: (clean - x_t) / _remaining(t, clean),
}


def velocity_of(net: Network | Engine, degraded: Tensor | None = None) -> Velocity:
    """Return the velocity field on [0, 1] of a network, or of an engine that computes it.

    degraded: (B, C, H, W), what is restored; None: the network is a prior.

    Times are one for all, (B,), or, of a network whose contract says so, one for every pixel, (B, 1, H, W).
    """
    contract = net.contract
    (black, white), convert = contract.range, CONVERSIONS[contract.predicts]

    def scaled(x: Tensor) -> Tensor:
        return x if contract.range == (0.0, 1.0) else black + (white - black) * x

    seen = None if degraded is None else scaled(degraded)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t.to(x) if t.ndim == 4 else t.to(x).expand(x.shape[0])
        x = scaled(x.contiguous(memory_format=torch.channels_last))
        return convert(net(x, t, seen), x, t) / (white - black)

    return velocity
