"""Pictures in files, restored into others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from irflow_cli.batch.plan import Files, Job, plan
from irflow_cli.batch.run import Batched, Operation, Progress, work_through
from irflow_cli.batch.store import Outcome
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.runtime.checkpoints import Card, read_card, resolve
from irflow_cli.services.identity import identity_of
from irflow_cli.tasks import RESTORED


@dataclass(frozen=True)
class RestoreRequest:
    """Pictures to restore, where to put them (see `batch.plan`), and how."""

    files: Files
    settings: RestoreSettings

    def plan(self) -> list[Job]:
        """Return the jobs; raises UsageError and NothingToDo before any work is done."""
        self.settings.check()
        return plan(self.files)


def task_of_checkpoint(checkpoint: str | None) -> str:
    """Return the task that a checkpoint's card names. Raises UsageError without a checkpoint, CheckpointError for one that is
    missing or damaged."""
    if checkpoint is None:
        raise UsageError(f"give `task` ({', '.join(RESTORED)}), or the `checkpoint` of a network of your own")
    return read_card(resolve(checkpoint)).task


def identity_of_restored(settings: RestoreSettings, card: Card) -> str:
    """Return all that determines results beside the pictures."""
    return identity_of("restore", settings, card, drawn=settings.method == "prior")


def restoring(request: RestoreRequest) -> Operation:
    """Return what restores pictures, its network loaded. Raises CheckpointError, DeviceError."""
    restorer = Restorer(request.settings)
    identity = identity_of_restored(request.settings, restorer.checkpoint.card)

    def work(job: Job, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        return restorer.restore(picture, progress)

    return Operation(work, identity, Batched(restorer.batch_size, restorer.restore_batch), begin=restorer.engine.open)


def restore_files(
    request: RestoreRequest, progress: Progress = lambda done: None, stop: threading.Event | None = None
) -> Iterator[Outcome]:
    """Restore every picture of a request and yield what became of each. Raises before any work if it makes no sense."""
    jobs = request.plan()
    return work_through(jobs, restoring(request), request.files, progress=progress, stop=stop)
