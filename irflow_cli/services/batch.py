"""Many pictures, one after another: reading, work and writing overlap, and each ends with an outcome."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from irflow_cli.errors import ImageError
from irflow_cli.runtime.encoding import FORMATS, encode_picture
from irflow_cli.runtime.images import SUFFIXES, Picture, decode_picture, write_atomically
from irflow_cli.runtime.manifest import Manifest, sha256
from irflow_cli.services.planning import STREAM, Files, Job

AHEAD = 1  # pictures read before their turn, and results still being written


@dataclass(frozen=True)
class Outcome:
    """What became of a job. status: done, failed (`error` is one line), or skipped (its result was there already).

    notes are worth telling the user; data are the result's bytes when they go to standard output; megapixels and seconds
    (of the work alone) are 0 when there was no work.
    """

    job: Job
    status: str = "done"
    error: str | None = None
    notes: tuple[str, ...] = ()
    data: bytes | None = None
    megapixels: float = 0.0
    seconds: float = 0.0


Progress = Callable[[float], None]  # told how many pictures are done, in fractions
Work = Callable[[Job, Picture, Progress], tuple[Picture, tuple[str, ...]]]


class Loaded(NamedTuple):
    """A picture that was read, and the key of its content and settings; or, without a picture, its outcome."""

    picture: Picture | None
    key: str = ""
    outcome: Outcome | None = None


def work_through(
    jobs: list[Job],
    work: Work,
    files: Files,
    identity: str,
    *,
    progress: Progress = lambda done: None,
    stop: threading.Event | None = None,
) -> Iterator[Outcome]:
    """Yield the outcome of each job, in order; a picture that cannot be read, restored or written does not stop the others.

    identity: says all that determines results beside the pictures; `files.resume` trusts only what it was made with.
    When `stop` is set, or at the first failure with `files.fail_fast`, what has begun is finished and no more is done.
    Raises DiskFull. Memory: up to AHEAD pictures waiting on either side of the one that is worked on.
    """
    shelf = _Shelf(files, identity)
    waiting, writing = deque(jobs), deque[Future[Outcome]]()
    reading: deque[tuple[Job, Future[Loaded]]] = deque()
    finished, failed = 0, False
    with ThreadPoolExecutor(1) as readers, ThreadPoolExecutor(1) as writers:
        try:
            while waiting or reading or writing:
                if (stop and stop.is_set()) or (failed and files.fail_fast):
                    waiting.clear()
                    reading.clear()
                while waiting and len(reading) < AHEAD:
                    job = waiting.popleft()
                    reading.append((job, readers.submit(shelf.load, job)))
                if reading:
                    job, future = reading.popleft()
                    writing.append(_worked(job, future.result(), work, shelf, writers, progress, finished))
                    finished += 1
                    progress(finished)
                while writing and (len(writing) > AHEAD or not reading or writing[0].done()):
                    outcome = writing.popleft().result()
                    failed = failed or outcome.status == "failed"
                    yield outcome
        finally:
            for _, future in reading:
                future.cancel()


def _worked(
    job: Job, loaded: Loaded, work: Work, shelf: _Shelf, writers: ThreadPoolExecutor, progress: Progress, before: int
) -> Future[Outcome]:
    """Do the work of one job here, hand its result to the writers, and return the outcome to come."""
    known: Future[Outcome] = Future()
    if loaded.picture is None:
        known.set_result(loaded.outcome or Outcome(job))
        return known
    began = time.perf_counter()
    try:
        result, notes = work(job, loaded.picture, lambda part: progress(before + part))
    except ImageError as error:
        known.set_result(Outcome(job, "failed", f"{job.source}: {error}"))
        return known
    seconds, megapixels = time.perf_counter() - began, result.pixels.shape[0] * result.pixels.shape[1] / 1e6
    outcome = Outcome(job, notes=(*loaded.picture.notes, *notes), megapixels=megapixels, seconds=seconds)
    return writers.submit(shelf.store, outcome, result, loaded.key)


class _Shelf:
    """Where pictures come from and go to: reads, keeps the manifests, writes."""

    def __init__(self, files: Files, identity: str) -> None:
        self.files, self.identity = files, identity
        self.manifests: dict[Path, Manifest] = {}
        self.lock = threading.Lock()

    def load(self, job: Job) -> Loaded:
        """Return the job's picture, or its outcome when there is nothing to do or nothing that can be done."""
        try:
            if self.files.skip_existing and job.exists:
                return Loaded(None, outcome=Outcome(job, "skipped"))
            name = "standard input" if job.source == STREAM else str(job.source)
            data = sys.stdin.buffer.read() if job.source == STREAM else _bytes_of(job.source)
            if job.mask is not None and not job.mask.is_file():
                raise ImageError(f"{name}: has no mask, {job.mask} is not there")
            beside = "" if job.mask is None else f" {sha256(_bytes_of(job.mask))}"
            made_of = f"{sha256(data)} {self.identity} {self.files.coding} {self.files.format}{beside} {job.sample or ''}"
            key = sha256(made_of.strip().encode())
            if self.files.resume and job.target != STREAM:
                manifest = self._manifest(job.target)
                if manifest.proves(job.target, key):
                    return Loaded(None, outcome=Outcome(job, "skipped"))
                if job.target.exists() and not manifest.knows(job.target):
                    raise ImageError(
                        f"{job.target} exists and was not made by a run with --resume; move it, or use --overwrite"
                    )
            return Loaded(decode_picture(data, name, self.files.max_pixels), key)
        except ImageError as error:
            return Loaded(None, outcome=Outcome(job, "failed", str(error)))

    def store(self, outcome: Outcome, picture: Picture, key: str) -> Outcome:
        """Write the picture and return the outcome of it."""
        job = outcome.job
        try:
            data, said = encode_picture(picture, _kind_of(job, self.files, picture), self.files.coding)
            notes = (*outcome.notes, *said)
            if job.target == STREAM:
                return Outcome(job, notes=notes, data=data, megapixels=outcome.megapixels, seconds=outcome.seconds)
            replace = self.files.overwrite or self.files.resume
            if self.files.resume:
                self._manifest(job.target).record(job.target, key, None)
            write_atomically(job.target, data, overwrite=replace)
            if self.files.resume:
                self._manifest(job.target).record(job.target, key, data)
            return Outcome(job, notes=notes, megapixels=outcome.megapixels, seconds=outcome.seconds)
        except ImageError as error:
            text = str(error)
            return Outcome(job, "failed", text if str(job.target) in text else f"{job.source}: {text}", outcome.notes)

    def _manifest(self, target: Path) -> Manifest:
        with self.lock:
            if target.parent not in self.manifests:
                self.manifests[target.parent] = Manifest.of(target.parent)
            return self.manifests[target.parent]


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from None


def _kind_of(job: Job, files: Files, picture: Picture) -> str:
    """Return the format of a job's result: of its name, or as asked, or the picture's own where irflow writes that."""
    kind = SUFFIXES.get(job.target.suffix.lower()) or files.kind or picture.format
    return kind if kind in FORMATS else "PNG"


def recoded(job: Job, files: Files, picture: Picture) -> tuple[str, ...]:
    """Return what to tell the user when the result's format does not keep pixels as they are."""
    kind = _kind_of(job, files, picture)
    asked = files.coding.lossless or (kind == picture.format and picture.coding.get("lossless"))
    if FORMATS[kind].exact == "always" or (FORMATS[kind].exact == "on demand" and asked):
        return ()
    return (f"is written as {kind}, which codes all pixels anew; --format png keeps those outside of holes exactly",)
