"""Pictures in files, degraded into others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import irflow_cli
from irflow_cli.batch.plan import Files, Job, plan
from irflow_cli.batch.run import Operation, Progress, work_through
from irflow_cli.batch.store import Outcome
from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.engines.degrader import degrade_picture
from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture


@dataclass(frozen=True)
class DegradeRequest:
    """Pictures to degrade, how, and where to put them. severity None is the kind's usual one."""

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
            raise UsageError(f"unknown `kind` {self.kind!r}; there are {', '.join(DEGRADATIONS)}")
        entry = DEGRADATIONS[self.kind]
        if not 0 <= self.level <= entry.largest:
            raise UsageError(f"`severity` of {self.kind} goes from 0 to {entry.largest:g} ({entry.unit}), got {self.level:g}")
        return plan(self.files)


def degrade_files(
    request: DegradeRequest, progress: Progress = lambda done: None, stop: threading.Event | None = None
) -> Iterator[Outcome]:
    """Degrade every picture and yield what became of each. Raises UsageError before any work if it makes no sense.

    Randomness hangs on the seed and the picture's content, not on its place in the batch.
    """
    jobs = request.plan()

    def work(job: Job, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        return degrade_picture(picture, request.kind, request.level, request.seed), ()

    identity = f"{request.kind} {request.level} {request.seed} {irflow_cli.__version__}"
    return work_through(jobs, Operation(work, identity), request.files, progress=progress, stop=stop)
