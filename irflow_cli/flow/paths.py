"""The straight path from a degraded picture to a clean one, and the conversions between its descriptions.

Time runs from the source to the clean picture: t = 0 is the source x_0, t = 1 the clean x_1 (see
docs/decisions/0001-time-direction.md). IR-Flow (arXiv 2604.19680) counts the other way, tau = 1 - t.
"""

from __future__ import annotations

from torch import Tensor

from irflow_cli.tensors import match_dims

Times = Tensor | float


def interpolate(x_0: Tensor, x_1: Tensor, t: Times) -> Tensor:
    """Return x_t = (1 - t) x_0 + t x_1, (B, C, H, W), for t a number or (B,) in [0, 1]. IR-Flow eq. for its path."""
    weight = match_dims(t, x_0)
    return x_0 + weight * (x_1 - x_0)


def bridge(x_s: Tensor, s: Times, x_1: Tensor, t: Times) -> Tensor:
    """Return the point at time t of the straight path that passes x_s at time s < 1 and ends in x_1 at time 1.

    With s = 0 this is `interpolate`. A picture of lower severity than the source of the path enters it at s > 0.
    """
    remaining = (1 - match_dims(t, x_s)) / (1 - match_dims(s, x_s))
    return x_1 + remaining * (x_s - x_1)


def velocity_from_residual(residual: Tensor, t: Times) -> Tensor:
    """Return the velocity dx/dt = -r / (1 - t) of a residual r = x_t - x_1 (the cumulative velocity), for t < 1."""
    return -residual / (1 - match_dims(t, residual))


def clean_from_velocity(x_t: Tensor, velocity: Tensor, t: Times) -> Tensor:
    """Return the estimate of the clean picture, x_1_hat = x_t + (1 - t) v."""
    return x_t + (1 - match_dims(t, x_t)) * velocity
