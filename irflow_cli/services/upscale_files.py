"""Pictures in files, enlarged into others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from irflow_cli.batch.plan import Files, Job, plan
from irflow_cli.batch.run import Operation, Progress, work_through
from irflow_cli.batch.store import Outcome
from irflow_cli.engines.settings import ENLARGING, OPERATOR, SCALE, SamplerSettings
from irflow_cli.engines.upscaler import Upscaler, check, remarks_on
from irflow_cli.images.picture import Picture
from irflow_cli.services.identity import identity_of


@dataclass(frozen=True)
class UpscaleRequest:
    """Pictures to enlarge, by how much, how they were made smaller (a row of OPERATORS), and how to sample."""

    files: Files
    scale: int = SCALE
    operator: str = OPERATOR
    sampling: SamplerSettings = field(default_factory=SamplerSettings)

    def plan(self) -> list[Job]:
        """Return the jobs; raises UsageError and NothingToDo before any work is done."""
        check(self.scale, self.operator)
        self.sampling.check(ENLARGING)
        return plan(self.files)


def upscale_files(
    request: UpscaleRequest, progress: Progress = lambda done: None, stop: threading.Event | None = None
) -> Iterator[Outcome]:
    """Enlarge every picture of a request and yield what became of each. Raises before any work if it makes no sense."""
    jobs = request.plan()
    upscaler = Upscaler(request.sampling, request.scale, request.operator)

    def work(job: Job, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        notes = remarks_on(picture)
        enlarged = upscaler.enlarge(picture, request.files.max_pixels, progress)
        return enlarged, (*notes, *upscaler.prior.engine.remarks())

    prior = upscaler.prior
    enlarged = f"upscale {request.scale} {request.operator}"
    identity = identity_of(enlarged, prior.settings, prior.checkpoint.card, prior.schedule.draws)
    operation = Operation(work, identity, scale=request.scale, begin=prior.engine.open)
    return work_through(jobs, operation, request.files, progress=progress, stop=stop)
