"""Test data: clean pictures in, spoiled pictures out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

import irflow_cli
from irflow_cli.degradations import DEGRADATIONS, degrade
from irflow_cli.errors import UsageError
from irflow_cli.runtime.images import Picture, as_depth
from irflow_cli.services.batch import Outcome, Progress, work_through
from irflow_cli.services.planning import Files, Job, plan


@dataclass(frozen=True)
class DegradeRequest:
    """Pictures to spoil, how, and where to put them. severity None is the kind's usual one."""

    files: Files
    kind: str
    severity: float | None = None
    seed: int = 0

    @property
    def level(self) -> float:
        """The severity asked for, or the kind's usual one."""
        return DEGRADATIONS[self.kind].usual if self.severity is None else self.severity

    def plan(self) -> list[Job]:
        """Return the jobs; raises UsageError and NothingToDo before any work is done."""
        if self.kind not in DEGRADATIONS:
            raise UsageError(f"unknown kind {self.kind!r}; there are {', '.join(DEGRADATIONS)}")
        entry = DEGRADATIONS[self.kind]
        if not 0 <= self.level <= entry.largest:
            raise UsageError(f"--severity of {self.kind} goes from 0 to {entry.largest:g} ({entry.unit}), got {self.level:g}")
        return plan(self.files)


def degrade_files(
    request: DegradeRequest, progress: Progress = lambda done: None, stop: threading.Event | None = None
) -> Iterator[Outcome]:
    """Spoil every picture and yield what became of each. Raises UsageError before any work if it makes no sense.

    Randomness hangs on the seed and the picture's content, not on its place in the batch.
    """
    jobs = request.plan()

    def work(job: Job, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        return degrade_picture(picture, request.kind, request.level, request.seed), ()

    identity = f"{request.kind} {request.level} {request.seed} {irflow_cli.__version__}"
    return work_through(jobs, work, request.files, identity, progress=progress, stop=stop)


def degrade_picture(picture: Picture, kind: str, severity: float, seed: int) -> Picture:
    """Return the picture spoiled by an entry of DEGRADATIONS, clipped and rounded to its own depth."""
    generator = torch.Generator().manual_seed(picture.seed(seed))
    clean = torch.from_numpy(picture.unit()).permute(2, 0, 1)[None]
    spoiled = degrade(clean, kind, severity, generator=generator)[0].permute(1, 2, 0).numpy()
    pixels = as_depth(np.clip(spoiled, 0, 1), picture.pixels.dtype)
    return picture.with_pixels(pixels if picture.pixels.ndim == 3 else pixels[..., 0])
