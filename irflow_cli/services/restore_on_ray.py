"""Pictures restored by the workers of a Ray cluster: Ray Data shares them out, each worker does what the local run does.

What a run on record has made is left out before Ray starts. A worker loads the network once, and the pictures of its block go
through `work_through`: results are written atomically and recorded by the worker, as a shard does, and a failure is a row.
Ray's own checkpoints, readers and error limits are not used: it drops whole blocks on errors and decodes to 8 bits.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import irflow_cli.errors
from irflow_cli import extras
from irflow_cli.batch.plan import STREAM, Files, Job
from irflow_cli.batch.run import Progress, dry_run, work_through
from irflow_cli.batch.store import Outcome, Store
from irflow_cli.errors import CheckpointError, ImageError, IrflowError, require
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.services.restore_files import RestoreRequest, identity_of_restored, restoring

BLOCK = 16  # pictures that a worker gets at a time, and does again when it is killed, but for those on record
ROW = ("input", "output", "status", "kind", "message", "digest", "seconds", "notes", "megapixels", "by", "index")
ENDED = "ended"  # status of the rows of a block that something is wrong with for the whole run


class Worker:
    """What each of Ray's actors holds: the network, loaded once. What is wrong with all of it is said in every row."""

    def __init__(self, request: RestoreRequest, digest: str, identity: str) -> None:
        self.files, self.fault, self.operation = request.files, None, None
        try:
            card = load_checkpoint(request.settings.checkpoint or str(request.settings.trained_for.checkpoint)).card
            if card.digest != digest:
                raise CheckpointError("a worker has another checkpoint of this name; give all machines the same")
            self.operation = replace(restoring(request), identity=identity)
        except IrflowError as error:
            self.fault = error

    def __call__(self, block: dict[str, Any]) -> dict[str, list[Any]]:
        """Return the rows of a block of jobs, as columns, each of ROW. status: done, failed or ENDED. kind: the class of what
        went wrong. digest: sha256 of the result's bytes."""
        given = [block[name] for name in ("index", "input", "output", "exists")]
        jobs = [Job(Path(source), Path(target), bool(exists)) for _, source, target, exists in zip(*given, strict=True)]
        rows: list[tuple[Any, ...]] = []
        try:
            if self.operation is None:
                raise self.fault or IrflowError("the network cannot be loaded")
            for index, done in zip(block["index"], work_through(jobs, self.operation, self.files), strict=True):
                failed = done.status == "failed"  # skipped is what a worker had done that was killed before it answered
                state = ("failed", ImageError.__name__) if failed else ("done", "")
                found = (done.error or "", done.digest or "", done.seconds, "\n".join(done.notes), done.megapixels, done.by)
                rows.append((str(done.job.source), str(done.job.target), *state, *found, int(index)))
        except IrflowError as error:
            ended = (ENDED, type(error).__name__, str(error), "", 0.0, "", 0.0, "")
            rest = list(zip(jobs, block["index"], strict=True))[len(rows) :]
            rows += [(str(job.source), str(job.target), *ended, int(index)) for job, index in rest]
        return {name: [row[at] for row in rows] for at, name in enumerate(ROW)}


def restore_on_ray(
    request: RestoreRequest, progress: Progress = lambda done: None, stop: threading.Event | None = None
) -> Iterator[Outcome]:
    """Restore every picture of a request on a Ray cluster, that of RAY_ADDRESS or one of this machine, and yield what became of
    each, as it comes. Raises before any work if the request makes no sense, UsageError where Ray is missing."""
    files, settings = request.files, request.settings
    require(str(STREAM) not in (*files.inputs, str(files.output)), "`runner` ray is for files; standard input is one picture")
    ray = _ray()
    jobs = request.plan()
    card = load_checkpoint(settings.checkpoint or str(settings.trained_for.checkpoint)).card
    identity = identity_of_restored(settings, card)
    before = Store(files, identity)
    todo: list[Job] = []
    count = 0
    for outcome in dry_run(before, jobs, files, stop):
        if outcome.status == "planned" and not files.dry_run:
            todo.append(outcome.job)
            continue
        count += 1
        yield outcome
        if files.fail_fast and outcome.status == "failed":
            return
    if not todo or (stop and stop.is_set()):
        return
    named = settings.checkpoint
    if named and Path(named).is_file():
        settings = replace(settings, checkpoint=str(Path(named).absolute()))
    there = replace(request, files=_of_workers(files), settings=settings)
    rows = [
        {"index": at, "input": str(job.source.absolute()), "output": str(job.target.absolute()), "exists": job.exists}
        for at, job in enumerate(todo)
    ]
    with _cluster(ray):
        for row in _shared_out(ray, rows, (there, card.digest, identity)):
            if row["status"] == ENDED:
                raise getattr(irflow_cli.errors, row["kind"], IrflowError)(row["message"])
            notes, said = tuple(filter(None, row["notes"].split("\n"))), (row["message"] or None, row["digest"] or None)
            worked = (row["megapixels"], row["seconds"])
            outcome = Outcome(todo[row["index"]], row["status"], said[0], notes, None, *worked, digest=said[1], by=row["by"])
            count += 1
            progress(count)
            yield outcome
            if (stop and stop.is_set()) or (files.fail_fast and outcome.status == "failed"):
                return


def _of_workers(files: Files) -> Files:
    """Return how workers write: what one that was killed has written, another takes for done, or replaces."""
    over = files.overwrite or files.mirror is not None
    return replace(files, overwrite=over, resume=not over, skip_existing=False, fail_fast=False, shard=None)


def _ray() -> Any:
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters comes as an exception
        import ray  # pyright: ignore[reportMissingImports]
        import ray.data  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise irflow_cli.errors.UsageError(f"`runner` ray needs Ray Data; {extras.hint('ray')}") from None
    return ray


@contextmanager
def _cluster(ray: Any) -> Iterator[None]:
    """Join the cluster that is there, or begin one on this machine for as long."""
    begun = not ray.is_initialized()
    if begun:
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, configure_logging=True, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise IrflowError(
                f"no Ray cluster can be joined or begun ({said}); see RAY_ADDRESS, or leave `runner` out"
            ) from None
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        if begun:
            ray.shutdown()


def _shared_out(ray: Any, rows: list[dict[str, Any]], given: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """Yield the rows that workers make of these, one worker a GPU, or else a core."""
    resources = ray.cluster_resources()
    gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    blocks = max(1, min(-(-len(rows) // BLOCK), len(rows)), min(gpus or cores, len(rows)))
    workers = max(1, min(gpus or cores, blocks))
    data = ray.data.from_items(rows, override_num_blocks=blocks)
    done = data.map_batches(
        Worker,
        fn_constructor_args=given,
        batch_size=None,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=1 if gpus else 0,
    )
    try:
        yield from done.iter_rows()
    except (ray.exceptions.RayError, SystemError) as error:
        said = " ".join(str(error).split())[:200]
        raise IrflowError(f"Ray ended before the pictures were done ({said}); the same command with `resume` goes on") from None
