"""What a residual network is trained on (IR-Flow, arXiv 2604.19680)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from irflow_cli.flow.paths import bridge, velocity_from_residual
from irflow_cli.flow.samplers import euler

Residual = Callable[[Tensor, Tensor], Tensor]  # (x_t, t of shape (B,)) -> estimate of x_t - x_1
Distance = Callable[[Tensor], Tensor]  # an error of any shape -> its mean size


def mean_square(error: Tensor) -> Tensor:
    """Return the mean of the squared error: the paper's choice, its optimum is the posterior mean."""
    return error.square().mean()


def charbonnier(error: Tensor, width: float = 1e-3) -> Tensor:
    """Return the mean of sqrt(e^2 + width^2) - width: absolute error, smooth at zero; weighs light degradations more."""
    return (error.square() + width**2).sqrt().mean() - width


def log_mean_square(error: Tensor, floor: float = 1e-5) -> Tensor:
    """Return the mean over the batch of log(1 + m / floor), m a sample's mean square: its loss of PSNR, but for a factor.

    Minima are those of the squared error, while light and heavy degradations count alike. error: (B, ...). Source: the
    PSNR loss of HINet (arXiv 2105.06086); the floor, at 50 dB, is ours.
    """
    return (error.flatten(1).square().mean(1) / floor).log1p().mean()


DISTANCES: dict[str, Distance] = {"charbonnier": charbonnier, "mse": mean_square, "log-mse": log_mean_square}


def residual_loss(
    residual: Residual, x_start: Tensor, start: Tensor, x_1: Tensor, t: Tensor, distance: Distance, end: Tensor | None = None
) -> Tensor:
    """Return the distance between the predicted and the true residual x_t - x_1 at times t (B,), start <= t < 1.

    x_start (B, C, H, W) is the degraded picture at its own time `start` (B,). With start = 0 and `mean_square` it
    is IR-Flow's cumulative-velocity loss over its multilevel distribution. With `end`, an estimate of x_1 that carries no
    gradient, x_t lies on the way to it instead: there a trajectory of Euler steps comes by, and the loss at t is that of the
    last step of a trajectory of two, IR-Flow's multi-step consistency with the gradient that its released code lacks.
    """
    x_t = bridge(x_start, start, x_1 if end is None else end, t)
    return distance(residual(x_t, t) - (x_t - x_1))


def consistency_loss(residual: Residual, x_start: Tensor, times: Tensor, x_1: Tensor, distance: Distance) -> Tensor:
    """Return the distance between the end of a trajectory over `times` (N+1,) or (N+1, B) and the clean picture.

    The trajectory up to the last interval runs without gradient, the last one carries it: the network learns to finish
    from states that it makes itself. In IR-Flow's released code no part of the trajectory carries gradient, so there the
    term trains nothing. Cost: N forward calls, one backward.
    """
    batch = x_start.shape[0]

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t.to(x.dtype).expand(batch)
        return velocity_from_residual(residual(x, t), t)

    with torch.no_grad():
        x = euler(velocity, x_start, times[:-1]).state if len(times) > 2 else x_start
    return distance(euler(velocity, x, times[-2:]).state - x_1)
