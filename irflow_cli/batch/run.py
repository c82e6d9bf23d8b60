"""Many pictures, one after another: reading, work and writing overlap, and each ends with an outcome."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from irflow_cli.batch.plan import Files, Job
from irflow_cli.batch.store import Loaded, Outcome, Store, surprise
from irflow_cli.errors import ImageError, IrflowError
from irflow_cli.images.picture import Picture

AHEAD = 1  # pictures read before their turn, and results still being written
Progress = Callable[[float], None]  # told how many pictures are done, in fractions
Finished = tuple[Picture, tuple[str, ...]]  # and what to tell the user
Work = Callable[[Job, Picture, Progress], Finished]


class Batched(NamedTuple):
    """Work on several pictures of one size and type at once. most: how many like a picture may be; work: on them all."""

    most: Callable[[Picture], int]
    work: Callable[[list[Picture], Progress], list[Finished]]


@dataclass(frozen=True)
class Operation:
    """What is done to every picture of a batch.

    identity: says all that determines results beside the pictures; a batch that is resumed trusts only what it was made with.
    batched: how pictures that follow each other and are of one size and type are worked on together, where that gains.
    opaque: results have no transparency, whatever the pictures have. scale: how many times as high and wide they are. begin:
    what takes long and is wanted by the first picture, such as engines that have to be timed; a dry run does without. It
    returns what the work is done by, in words.
    """

    work: Work
    identity: str
    batched: Batched | None = None
    opaque: bool = False
    scale: int = 1
    begin: Callable[[], str] = lambda: ""


def work_through(
    jobs: list[Job],
    operation: Operation,
    files: Files,
    *,
    progress: Progress = lambda done: None,
    stop: threading.Event | None = None,
) -> Iterator[Outcome]:
    """Yield the outcome of each job, in order; a picture that cannot be read, restored or written does not stop the others.

    When `stop` is set, or at the first failure with `files.fail_fast`, what has begun is finished and no more is done.
    Raises what ends the run, such as DiskFull, after the outcomes of what has begun. Memory: up to AHEAD pictures waiting on
    either side of the one that is worked on, or of those.
    """
    store, batched = Store(files, operation.identity, operation.opaque, operation.scale), operation.batched
    if files.dry_run:
        yield from dry_run(store, jobs, files, stop)
        return
    by = operation.begin()
    waiting, writing = deque(jobs), deque[Future[Outcome]]()
    reading: deque[tuple[Job, Future[Loaded]]] = deque()
    readers, writers = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
    finished, failed, most, patient = 0, False, 1, True

    def read_ahead(count: int) -> None:
        while waiting and len(reading) < count:
            job = waiting.popleft()
            reading.append((job, readers.submit(store.load, job)))

    try:
        while waiting or reading or writing:
            if (stop and stop.is_set()) or (failed and files.fail_fast):
                waiting.clear()
                reading.clear()
            read_ahead(AHEAD)
            if reading:
                group = [(reading[0][0], reading.popleft()[1].result())]
                most = batched.most(picture) if batched and (picture := group[0][1].picture) else 1
                read_ahead(max(AHEAD, most - 1))
                while reading and len(group) < most and _same_kind(group[0][1], reading[0][1].result()):
                    group.append((reading[0][0], reading.popleft()[1].result()))
                read_ahead(AHEAD)
                writing += _worked(group, operation, by, store, writers, progress, finished)
                finished += len(group)
                progress(finished)
            while writing and (len(writing) > max(AHEAD, most) or not reading or writing[0].done()):
                outcome = writing.popleft().result()
                failed = failed or outcome.status == "failed"
                yield outcome
    except IrflowError:
        for coming in writing:
            with contextlib.suppress(IrflowError):  # the first counts
                yield coming.result()
        raise
    except (KeyboardInterrupt, SystemExit):
        patient = False  # what is being read or written is left as it stands, under no name of its own
        raise
    finally:
        for pool in (readers, writers):
            pool.shutdown(wait=patient, cancel_futures=not patient or pool is readers)


def dry_run(store: Store, jobs: list[Job], files: Files, stop: threading.Event | None) -> Iterator[Outcome]:
    """Yield what would become of each job, until `stop` is set or, with `files.fail_fast`, one fails."""
    for job in jobs:
        if stop and stop.is_set():
            return
        outcome = store.dry_run(job)
        yield outcome
        if files.fail_fast and outcome.status == "failed":
            return


def _same_kind(one: Loaded, other: Loaded) -> bool:
    """Return whether both are pictures whose pixels have one shape and type."""
    if one.picture is None or other.picture is None:
        return False
    return (one.picture.pixels.shape, one.picture.pixels.dtype) == (other.picture.pixels.shape, other.picture.pixels.dtype)


def _worked(
    group: list[tuple[Job, Loaded]],
    operation: Operation,
    by: str,
    store: Store,
    writers: ThreadPoolExecutor,
    progress: Progress,
    before: int,
) -> Iterator[Future[Outcome]]:
    """Do the work of jobs here, together if there are several, hand each result to the writers, and yield their outcomes to
    come."""
    began, batched = time.perf_counter(), operation.batched
    together: list[Finished] = []
    if batched and len(group) > 1:
        pictures = [one.picture.with_pixels(one.picture.pixels.copy()) for _, one in group if one.picture]  # small ones
        with contextlib.suppress(Exception):  # one by one memory may be enough, and only one may fail
            together = batched.work(pictures, lambda part: progress(before + part * len(group)))
    seconds = (time.perf_counter() - began) / len(group)
    for number, (job, loaded) in enumerate(group):
        result: Finished | Outcome
        if together:
            result = together[number]
        else:
            began = time.perf_counter()
            result = _alone(job, loaded, operation.work, lambda part, done=before + number: progress(done + part))
            seconds = time.perf_counter() - began
        if isinstance(result, Outcome):
            ended = Future[Outcome]()
            ended.set_result(result)
            yield ended
            continue
        (picture, notes), own = result, loaded.picture.notes if loaded.picture else ()
        megapixels = picture.pixels.shape[0] * picture.pixels.shape[1] / 1e6
        outcome = Outcome(job, notes=(*own, *notes), megapixels=megapixels, seconds=seconds, by=by)
        yield writers.submit(store.store, outcome, picture, loaded.key)


def _alone(job: Job, loaded: Loaded, work: Work, progress: Progress) -> Finished | Outcome:
    """Return the result of a job, or its outcome where there is none."""
    if loaded.picture is None:
        return loaded.outcome or Outcome(job)
    try:
        return work(job, loaded.picture, progress)
    except ImageError as error:
        return Outcome(job, "failed", f"{job.source}: {error}")
    except Exception as error:
        return Outcome(job, "failed", surprise(job, error))
