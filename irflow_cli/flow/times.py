"""Grids of times: N + 1 values from the start of a trajectory to 1, both ends included."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from irflow_cli.tensors import to_device

# IR-Flow's released few-step grids, written there as tau = 1 - t: {1, .2, 0}, {1, .2, .1, 0}, {1, .5, .25, .05, 0}.
RELEASED = {2: (0.0, 0.8, 1.0), 3: (0.0, 0.8, 0.9, 1.0), 4: (0.0, 0.5, 0.75, 0.95, 1.0)}


def uniform(steps: int) -> Tensor:
    """Return `steps` equal intervals of [0, 1] as float64 times of shape (steps + 1,)."""
    return torch.linspace(0, 1, steps + 1, dtype=torch.float64)


def released(steps: int) -> Tensor:
    """Return IR-Flow's grid for 2, 3 and 4 steps and the uniform one otherwise, shape (steps + 1,).

    Source: the sampling settings published with arXiv 2604.19680, turned round to our direction of time.
    """
    return torch.tensor(RELEASED[steps], dtype=torch.float64) if steps in RELEASED else uniform(steps)


GRIDS: dict[str, Callable[[int], Tensor]] = {"released": released, "uniform": uniform}


def make_times(grid: str, steps: int, start: Tensor | float = 0.0, stop: float | None = None) -> Tensor:
    """Return the times of a trajectory of `steps` intervals from `start` to 1.

    Shape (steps + 1,), float64, for a number; (steps + 1, B), of its type and device, when every sample has its own
    `start` (B,) in [0, 1). With `stop`, for a number only, the grid ends there, after all intervals but one, and
    the last one goes to 1. Raises ValueError for fewer than one step and KeyError for an unknown grid.
    """
    if steps < 1:
        raise ValueError(f"a trajectory needs at least one step, got {steps}")
    if stop is not None and steps > 1:
        return torch.cat([start + (stop - start) * GRIDS[grid](steps - 1), torch.ones(1, dtype=torch.float64)])
    unit = GRIDS[grid](steps)
    start = start if isinstance(start, Tensor) else torch.tensor(start, dtype=unit.dtype)
    unit = to_device(unit.reshape(-1, *[1] * start.ndim), start.device, start.dtype)
    times = start + (1 - start) * unit
    times[-1] = 1.0
    return times
