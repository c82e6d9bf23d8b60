"""From a network to the velocity field that samplers walk along."""

from __future__ import annotations

import torch
from torch import Tensor

from irflow_cli.flow.paths import velocity_from_residual
from irflow_cli.flow.samplers import Velocity
from irflow_cli.nets import Network, PriorUNet


def velocity_of(net: Network, degraded: Tensor) -> Velocity:
    """Return the velocity field of a residual network that was given `degraded` (B, C, H, W) to restore."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t.to(x.dtype).expand(x.shape[0])
        return velocity_from_residual(net(x, t, degraded), t)

    return velocity


def prior_velocity(net: Network) -> Velocity:
    """Return the velocity field of a prior on [0, 1], whose paths begin in noise of mean and deviation a half.

    PriorUNet predicts the velocity; ours predict the residual x_t - x_1, which is -(1 - t) times it.
    """

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t.to(x.dtype).expand(x.shape[0])
        x = x.contiguous(memory_format=torch.channels_last)
        return net(x, t) if isinstance(net, PriorUNet) else velocity_from_residual(net(x, t), t)

    return velocity
