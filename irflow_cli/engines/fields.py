"""From a network to the velocity field that samplers follow."""

from __future__ import annotations

import torch
from torch import Tensor

from irflow_cli.flow.paths import velocity_from_residual
from irflow_cli.flow.samplers import Velocity
from irflow_cli.nets import Network, PriorUNet


def velocity_of(net: Network, degraded: Tensor) -> Velocity:
    """Return the velocity field of a residual network that was given `degraded` (B, C, H, W) to restore."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t.to(x).expand(x.shape[0])
        return velocity_from_residual(net(x, t, degraded), t)

    return velocity


def prior_velocity(net: Network) -> Velocity:
    """Return the velocity field of a prior on [0, 1], whose paths begin in noise of mean and deviation a half.

    PriorUNet predicts the velocity; ours predict the residual x_t - x_1, which is -(1 - t) times it. Those with `time_map`
    take t of every pixel, (B, 1, H, W), too; where it is 1 their velocity has no meaning.
    """

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t.to(x) if t.ndim == 4 else t.to(x).expand(x.shape[0])
        x = x.contiguous(memory_format=torch.channels_last)
        if isinstance(net, PriorUNet):
            return net(x, t)
        remaining = 1 - (t if t.ndim == 4 else t[:, None, None, None])
        return -net(x, t) / remaining.clamp_min(1e-3)

    return velocity
