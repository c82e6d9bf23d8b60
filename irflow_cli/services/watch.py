"""A folder that grows: what comes into it is worked on as it comes, until it is stopped."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from irflow_cli.batch.plan import STREAM, Files, Job, plan, plan_again
from irflow_cli.batch.run import Progress, work_through
from irflow_cli.batch.store import Outcome
from irflow_cli.errors import NothingToDo, UsageError, require
from irflow_cli.services.restore_files import RestoreRequest, restoring

EVERY = 1.0  # seconds from one look to the next, and for which a file has to stay as it is before it is read
SHARE = 4  # times as long as a look takes is what passes before the next, in folders of very many files
Stamp = tuple[int, int]  # a file's bytes and the time it was last written


@dataclass
class Arrivals:
    """Which files are whole: those that two looks in a row found alike. What failed is not tried again until it changes.

    Memory: an entry for every file that waits or has failed, and for the place of every result whose file is there.
    """

    waiting: dict[Path, Stamp] = field(default_factory=dict)
    failed: dict[Path, Stamp] = field(default_factory=dict)
    taken: dict[Path, Path] = field(default_factory=dict)  # see `plan_again`
    said: str = ""  # of a look at nothing

    def look(self, files: Files) -> tuple[list[Job], list[Outcome]]:
        """Return what there is to do now, and the outcomes of what cannot be done: of files, or, where nothing could be looked
        at, of the first folder, once for each reason."""
        try:
            jobs, refused = plan_again(files, self.taken)
        except NothingToDo:  # as yet
            jobs, refused = [], {}
        except UsageError as error:  # such as of a share that does not answer now
            new, self.said = str(error) != self.said, str(error)
            folder = Path(files.inputs[0])
            return [], [Outcome(Job(folder, folder), "failed", f"{folder}: {error}")] if new else []
        whole = self.whole([job for job in jobs if not job.exists or job in refused])
        failed = [Outcome(job, "failed", refused[job]) for job in whole if job in refused]
        return [job for job in whole if job not in refused], failed

    def whole(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs whose files are as they were at the last look, and were not worked on in vain as they are."""
        seen = {job: stamp for job in jobs if (stamp := _stamp(job.source)) is not None}
        whole = [job for job, stamp in seen.items() if self.waiting.get(job.source) == stamp]
        self.waiting = {job.source: stamp for job, stamp in seen.items()}
        there = {job.source for job in seen}
        self.failed = {path: stamp for path, stamp in self.failed.items() if path in there}
        return [job for job in whole if self.failed.get(job.source) != self.waiting[job.source]]

    def fail(self, source: Path) -> None:
        """Note that a file, as it is, cannot be worked on."""
        if source in self.waiting:
            self.failed[source] = self.waiting[source]


def watch_files(
    request: RestoreRequest, progress: Progress = lambda done: None, stop: threading.Event | None = None, every: float = EVERY
) -> Iterator[Outcome]:
    """Restore what is in folders and what comes into them, and yield what became of each, until `stop` is set.

    Results that exist are left alone. The network is loaded once; memory grows with names in the folders alone. Raises
    UsageError for what cannot be watched, as folders are found; what comes later that cannot be done fails, and no other.
    """
    files, stop = request.files, stop or threading.Event()
    require(str(STREAM) not in (*files.inputs, str(files.output)), "`watch` is for folders; standard input is one picture")
    require(
        any(Path(name).is_dir() for name in files.inputs), "`watch` needs a folder that is there, and none is among the inputs"
    )
    require(
        not (files.overwrite or files.resume), "`watch` leaves results alone that exist; leave `overwrite` and `resume` out"
    )
    require(not files.dry_run, "`watch` and `dry_run` contradict each other; give one of them")
    require("{index" not in (files.name_template or ""), "numbers of pictures change as a folder grows; leave {index} out")
    request.settings.check()
    require(not files.one_file, f"`watch` makes many results, and {files.output} is one file; give a folder")
    files = replace(files, skip_existing=True)
    with contextlib.suppress(NothingToDo):  # as yet
        plan(files)
    return _watching(replace(request, files=files), progress, stop, every)


def _watching(request: RestoreRequest, progress: Progress, stop: threading.Event, every: float) -> Iterator[Outcome]:
    arrivals, operation = Arrivals(), restoring(request)
    while not stop.is_set():
        began = time.monotonic()
        ready, failed = arrivals.look(request.files)
        spent = time.monotonic() - began
        worked = work_through(ready, operation, request.files, progress=progress, stop=stop)
        for outcome in itertools.chain(failed, worked):
            if outcome.status == "failed":
                arrivals.fail(outcome.job.source)
                if request.files.fail_fast:
                    stop.set()
            yield outcome
        _pause(max(every, SHARE * spent), stop)


def _pause(seconds: float, stop: threading.Event) -> None:
    """Wait, no longer than until `stop` is set: in short sleeps, for a signal's handler must not set what is waited for."""
    end = time.monotonic() + seconds
    while not stop.is_set() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:  # gone since it was listed
        return None
    return found.st_size, found.st_mtime_ns
