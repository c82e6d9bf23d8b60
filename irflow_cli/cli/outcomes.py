"""How a batch is shown to the user while it runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from irflow_cli.cli.console import Console
from irflow_cli.cli.flags import with_flags
from irflow_cli.cli.tally import Tally
from irflow_cli.errors import ImageError, IrflowError, UsageError

if TYPE_CHECKING:
    from irflow_cli.batch.plan import Files, Job
    from irflow_cli.batch.run import Progress
    from irflow_cli.batch.store import Outcome


class Request(Protocol):
    """Pictures and what to do with them."""

    @property
    def files(self) -> Files:
        """What is read and written."""
        ...

    def plan(self) -> list[Job]:
        """Return the jobs, or raise before any work."""
        ...


Asked = TypeVar("Asked", bound=Request)


def carry_out(
    console: Console,
    request: Asked,
    perform: Callable[[Asked, Progress, threading.Event], Iterator[Outcome]],
    *,
    compare: bool = False,
    endless: bool = False,
) -> int:
    """Print every outcome of a request as it comes, how many there were of each kind at the end, and return the exit code.

    perform: `restore_files` or its like, which does the work. compare: put a page with before and after beside each result.
    endless: the pictures are not there yet, and a wish to stop is the end. What is remote is worked on in a mirror, and called
    by its address.
    """
    from irflow_cli.services.remote import mirrored

    if console.as_json and str(request.files.output or request.files.inputs[0]) == "-":
        raise UsageError("--json has no place where the result goes to standard output; leave it out")
    request = mirrored(request)
    mirror = request.files.mirror
    if mirror is None:
        return _carry_out(console, request, perform, compare=compare, endless=endless)
    console.named = mirror.named
    try:
        if compare or endless:
            raise UsageError(f"--{'compare' if compare else 'watch'} needs folders of this machine; leave it out")
        return _carry_out(console, request, perform, compare=False, endless=False)
    except IrflowError as error:
        raise type(error)(mirror.named(str(error))) from None
    finally:
        mirror.close()


def _carry_out(
    console: Console,
    request: Asked,
    perform: Callable[[Asked, Progress, threading.Event], Iterator[Outcome]],
    *,
    compare: bool,
    endless: bool,
) -> int:
    from irflow_cli.batch.sources import left_out

    jobs = [] if endless else request.plan()
    if not endless and (others := left_out(request.files)):
        console.note(others)
    if compare:
        _check_pages(jobs, request.files)
    tally = Tally(console, jobs, request.files)
    if endless:
        console.note("waiting for pictures; Ctrl-C ends it")
    try:
        with _finishing(console) as stop, console.progress("irflow", len(jobs) or None, left=False) as show:
            try:
                for outcome in perform(request, lambda done: show(done, tally.at(done)), stop):
                    shown = _with_page(outcome, request.files) if compare and outcome.status == "done" else outcome
                    tally.count(shown)
                    _tell(console, tally, shown)
            except KeyboardInterrupt:
                stop.set()
    except IrflowError:
        if tally.seen:  # else nothing has begun, and the error says it all
            tally.close(stopped=not endless)
        raise
    stopped = stop.is_set() and not endless
    tally.close(stopped=stopped)
    return 130 if stopped else 1 if tally.counts["failed"] else 0


def _page_of(job: Job) -> Path:
    """Return where the page lies that compares a job's picture with its result: under the whole name of the result, so that
    a.png and a.jpg have a page each."""
    return job.target.with_name(f"{job.target.name}.compare.html")


def _check_pages(jobs: list[Job], files: Files) -> None:
    """Raise UsageError, before any work, for pages that cannot be written, and for those that no result goes with: they are
    of somebody else."""
    from irflow_cli.services.compare import check_output

    for job in jobs:
        if str(job.source) == "-" or str(job.target) == "-":
            raise UsageError("--compare puts a page beside the result, and there is no place beside -; give files")
        check_output(_page_of(job), overwrite=files.overwrite or job.exists)


def _with_page(outcome: Outcome, files: Files) -> Outcome:
    """Write the page of an outcome, and return the outcome with what is to be said of it."""
    from irflow_cli.images.span import parse_range
    from irflow_cli.services.compare import compare_files

    job, page = outcome.job, _page_of(outcome.job)
    try:
        span = parse_range(files.range)
        again = files.overwrite or job.exists
        notes = compare_files(job.source, job.target, page, overwrite=again, max_pixels=files.max_pixels, span=span)
    except (ImageError, UsageError) as error:
        return replace(outcome, status="failed", error=str(error))
    return replace(outcome, notes=(*outcome.notes, f"compared in {page}", *notes))


def _tell(console: Console, tally: Tally, outcome: Outcome) -> None:
    job = outcome.job
    for note in outcome.notes:
        tally.note(f"{job.source}: ", note)
    if outcome.error:
        console.error(outcome.error)
    if outcome.status == "skipped":
        tally.note(f"{job.target}: ", "already there, skipped")
    if outcome.seconds:
        how = f" ({outcome.by})" if outcome.by else ""
        console.detail(f"{job.source}: {tally.place}, {outcome.megapixels:.2f} megapixels in {outcome.seconds:.2f} s{how}")
    if outcome.data is not None:
        console.data(outcome.data)
    elif console.as_json:
        there = not outcome.error or outcome.digest is not None  # a result may be there whose page could not be made
        target: Path | None = job.target if there and outcome.status != "unused" else None
        error, notes = outcome.error and with_flags(outcome.error), [with_flags(note) for note in outcome.notes]
        fields = {"status": outcome.status, "error": error, "notes": notes, "seconds": outcome.seconds}
        fields |= {"digest": outcome.digest, "engine": outcome.by or None}
        console.result("", input=job.source, output=target, **fields)
    elif outcome.status == "planned":
        console.result(f"{job.source} -> {job.target}")
    elif not outcome.error and outcome.status != "unused":
        console.result(str(job.target))


@contextmanager
def _finishing(console: Console) -> Iterator[threading.Event]:
    """Turn a first Ctrl-C into a wish to stop after the picture at hand; a second one interrupts at once."""
    stop = threading.Event()

    def wish(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        console.note("finishing the picture at hand; press Ctrl-C again to stop at once")

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield stop
        return
    before = signal.signal(signal.SIGINT, wish)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
