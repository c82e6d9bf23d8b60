"""Samplers: trajectories along a velocity field. A sampler sees a callable and a grid of times, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from irflow_cli.tensors import match_dims

Velocity = Callable[[Tensor, Tensor], Tensor]  # (x, t) -> dx/dt, with t of shape () or (B,)


class Trajectory(NamedTuple):
    """Where a trajectory ended, and what it cost: intervals and calls of the field."""

    state: Tensor
    steps: int
    nfe: int


def euler(velocity: Velocity, x: Tensor, times: Tensor) -> Trajectory:
    """Follow the field over `times` from x by Euler's rule, x_s = x_t + (s - t) v(x_t, t). First order.

    For IR-Flow's residual r this is x_s = x_t - (s - t) / (1 - t) r (arXiv 2604.19680, few-step sampling).
    Cost: one call an interval. The field is never evaluated at t = 1.
    """
    for t, s in itertools.pairwise(times):
        x = x + match_dims(s - t, x) * velocity(x, t)
    steps = len(times) - 1
    return Trajectory(x, steps, steps)


def heun(velocity: Velocity, x: Tensor, times: Tensor) -> Trajectory:
    """Follow the field over `times` from x by Heun's rule: the mean of the velocities at both ends. Second order.

    Velocities are averaged, not residuals: IR-Flow's released sampler averages residuals of two different times
    and so leaves a part of the degradation even with a perfect network. The last interval ends at t = 1, where a
    residual carries no velocity; it is an Euler step. Cost: two calls an interval, one in the last.
    """
    steps, nfe = len(times) - 1, 0
    for index, (t, s) in enumerate(itertools.pairwise(times)):
        width = match_dims(s - t, x)
        slope = velocity(x, t)
        nfe += 1
        if index < steps - 1:
            slope = (slope + velocity(x + width * slope, s)) / 2
            nfe += 1
        x = x + width * slope
    return Trajectory(x, steps, nfe)


SAMPLERS: dict[str, Callable[[Velocity, Tensor, Tensor], Trajectory]] = {"euler": euler, "heun": heun}
ORDERS: dict[str, int] = {"euler": 1, "heun": 2}
