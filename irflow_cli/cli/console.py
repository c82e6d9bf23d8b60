"""The only place that prints. Results go to stdout, one a line; everything else goes to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from irflow_cli.cli.flags import with_flags
from irflow_cli.cli.streams import say
from irflow_cli.errors import FULL, DiskFull, IrflowError

SCHEMA = 1  # of the JSON lines
UNREAD = 141  # the exit code of a command whose reader is gone, as of one that SIGPIPE stops


@contextmanager
def _to_a_reader() -> Iterator[None]:
    """Send what is printed inside on its way. Where nobody reads any more, end as UNREAD."""
    if sys.stdout is None:
        raise IrflowError("standard output is closed; give it a place to go, such as a file")
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python itself flushes at its end
        if isinstance(error, BrokenPipeError):
            raise SystemExit(UNREAD) from None
        said = f"cannot write to standard output: {error.strerror}"
        raise DiskFull(f"{said}; make room and run again") if error.errno in FULL else IrflowError(said) from None


def _plain(text: str) -> str:
    """Return text without what steers a terminal: names and contents of files may be a stranger's."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else ascii(letter)[1:-1] for letter in text)


class Console:
    """Printer of one command. quiet: nothing but results and errors; verbose: details too; as_json: results as JSON Lines."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False, as_json: bool = False) -> None:
        self.quiet, self.verbose, self.as_json = quiet, verbose, as_json
        self.named: Callable[[str], str] = str  # what is printed instead of a text

    def result(self, text: str, **values: Any) -> None:
        """Print one result: `text`, or as JSON the values."""
        line = json.dumps({"schema": SCHEMA, **values}, default=str) if self.as_json else text
        line = self.named(line)
        with _to_a_reader():
            if sys.stdout.isatty():  # which a name may steer
                line = _plain(line)
            try:
                sys.stdout.write(line + "\n")
            except UnicodeEncodeError:  # a file's name in another encoding than the terminal's
                sys.stdout.buffer.write(os.fsencode(line + "\n"))

    def note(self, text: str) -> None:
        """Say something that is worth knowing."""
        if not self.quiet:
            say(_plain(with_flags(self.named(text))) + "\n")

    def detail(self, text: str) -> None:
        """Say something that only those who ask for it want to know."""
        if self.verbose and not self.quiet:
            say(_plain(with_flags(self.named(text))) + "\n")

    def data(self, data: bytes) -> None:
        """Write a result that is bytes, not text."""
        with _to_a_reader():
            sys.stdout.buffer.write(data)

    def error(self, text: str) -> None:
        """Say what is wrong, in one line."""
        say(f"irflow: {_plain(' '.join(with_flags(self.named(str(text))).split()))}\n")

    @contextmanager
    def progress(self, label: str, total: float | None, *, left: bool = True) -> Iterator[Any]:
        """Show a bar with time left on a terminal, nothing elsewhere; yields a function that sets how much is done."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda done, note="": None
            return
        from rich.console import Console as Rich
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        times = (TimeRemainingColumn(),) if left else ()  # else what is said beside the bar tells it
        with Progress(*columns, *times, console=Rich(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total)

            def update(done: float, note: str = "") -> None:
                bar.update(task, completed=done, description=_plain(note or label))

            yield update
