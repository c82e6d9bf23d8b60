"""Pictures to calibrate a quantised network on: drawn, and degraded as its task's are. No photograph ships for it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.degradations.table import degrade
from irflow_cli.runtime.checkpoints import Checkpoint
from irflow_cli.tasks import TASKS
from irflow_cli.tensors import tensor_of

COUNT, SIDE, DISCS = 40, 128, 120
# What each task takes out: kinds and the lowest and highest severity, as in its training.
DEGRADED: dict[str, tuple[tuple[str, float, float], ...]] = {
    "denoise": (("noise", 5, 55), ("camera", 5, 30)),
    "derain": (("rain", 0.1, 1.0),),
    "deraindrop": (("raindrops", 0.2, 1.0),),
    "all-in-one": (("noise", 5, 55), ("rain", 0.1, 1.0), ("raindrops", 0.2, 1.0)),
}


def dead_leaves(side: int, random: np.random.Generator) -> np.ndarray:
    """Return a picture (side, side, 3) float32 in [0, 1] of discs over discs, of all sizes, with shading and grain.

    Such pictures have the edges and the statistics of photographs (dead leaves, Lee, Mumford and Huang, 2001).
    """
    picture = np.full((side, side, 3), random.random(3), np.float32)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / side - 0.5
    for radius in (2 / np.sqrt(random.uniform((4 / side) ** 2, 1, DISCS))).clip(max=side / 2):  # density falls as r^-3
        colour = random.beta(0.7, 0.9) * (0.6 + 0.4 * random.random(3))
        mask = np.zeros((side, side), np.uint8)
        cv2.circle(mask, tuple(int(at) for at in random.integers(0, side, 2)), max(1, int(radius)), 255, -1, cv2.LINE_AA)
        slope, grain = random.normal(0, 0.25, 2), random.normal(0, 0.03 * random.random(), (side, side))
        shade = (slope[0] * rows + slope[1] * columns + grain).astype(np.float32)
        cover = mask[..., None].astype(np.float32) / 255
        picture += cover * (colour.astype(np.float32) + shade[..., None] - picture)
    return picture.clip(0, 1)


def calibration_set(checkpoint: Checkpoint, count: int = COUNT, seed: int = 0) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield x_t (1, 3, SIDE, SIDE), t (1,) and the degraded picture, as a task's network meets them: at the start of a
    trajectory and further on.
    """
    card = checkpoint.card
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    kinds = DEGRADED[card.task]
    for index in range(count):
        kind, low, high = kinds[index % len(kinds)]
        severity = float(random.uniform(low, high))
        clean = tensor_of(dead_leaves(SIDE, random))
        degraded = degrade(clean, kind, severity, generator=generator).clamp(0, 1)
        start = 0.0
        if card.sigma_max is not None and kind in ("noise", "camera"):
            start = max(0.0, 1 - severity / card.sigma_max)
        ahead = float(random.choice([0.0, 0.0, 0.0, 0.5]))  # most calls are the first of a trajectory
        t = torch.tensor([start + ahead * (1 - start)], dtype=torch.float32)
        yield degraded + ahead * (clean - degraded), t, degraded


def can_calibrate(task: str) -> bool:
    """Return whether there are pictures for a task; there are none for a prior."""
    return task in TASKS and task in DEGRADED
