"""From a network to the velocity field that samplers walk along."""

from __future__ import annotations

from torch import Tensor

from irflow_cli.flow.paths import velocity_from_residual
from irflow_cli.flow.samplers import Velocity
from irflow_cli.nets import Network


def velocity_of(net: Network, degraded: Tensor) -> Velocity:
    """Return the velocity field of a residual network that was given `degraded` (B, C, H, W) to restore."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t.to(x.dtype).expand(x.shape[0])
        return velocity_from_residual(net(x, t, degraded), t)

    return velocity
