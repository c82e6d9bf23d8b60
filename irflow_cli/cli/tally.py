"""A batch in numbers while it runs: where it stands, how long it may take, what became of its pictures, and how to go on."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from irflow_cli.cli.console import Console

if TYPE_CHECKING:
    from irflow_cli.batch.plan import Files, Job
    from irflow_cli.batch.run import Outcome

ALIKE = 3  # notes that differ in numbers alone are printed so often, and then counted
WORDS = {"done": "done", "planned": "to do", "skipped": "skipped", "failed": "failed"}


class Tally:
    """What became of the pictures of a batch so far."""

    def __init__(self, console: Console, jobs: list[Job], files: Files) -> None:
        self.console, self.jobs, self.files = console, jobs, files
        self.counts: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.worked, self.seconds, self.began = 0, 0.0, time.monotonic()
        passed = files.skip_existing or files.resume  # results that are there are passed over, most of them
        work = [float(not (passed and job.exists)) for job in reversed(jobs)]
        self.ahead = [*reversed(list(itertools.accumulate(work))), 0.0]  # pictures to work on, from each place on

    @property
    def seen(self) -> int:
        """How many pictures have had their outcome."""
        return sum(self.counts[status] for status in WORDS)

    @property
    def place(self) -> str:
        """The number of the last picture that had its outcome, of how many."""
        return f"{self.seen} of {len(self.jobs)}" if self.jobs else str(self.seen)

    def at(self, done: float) -> str:
        """Return what stands beside the bar when so many pictures, in fractions, are done: which is worked on, and how long the
        rest may take, by the time that pictures took that there was work on."""
        if not self.jobs:
            return f"{self.seen} so far"
        index = min(int(done), len(self.jobs) - 1)
        begun = (done - index) * (self.ahead[index] - self.ahead[index + 1])
        left = f", {_span(self.seconds / self.worked * (self.ahead[index] - begun))} left" if self.worked else ""
        return f"{self.jobs[index].source.name}, {index + 1} of {len(self.jobs)}{left}"

    def count(self, outcome: Outcome) -> None:
        """Take account of an outcome."""
        self.counts[outcome.status] += 1
        self.worked += outcome.seconds > 0
        self.seconds += outcome.seconds

    def note(self, about: str, note: str) -> None:
        """Say something of a picture, unless others had the same: then it is counted, and printed with -v."""
        kind = re.sub(r"[0-9]+([.,][0-9]+)*", "...", note)
        self.notes[kind] += 1
        (self.console.note if self.notes[kind] <= ALIKE else self.console.detail)(about + note)

    def close(self, *, stopped: bool) -> None:
        """Sum up: what was said of more pictures, what became of all, and how to go on where it was broken off."""
        for kind, times in self.notes.items():
            if times > ALIKE and not self.console.verbose:
                more = "1 more picture" if times - ALIKE == 1 else f"{times - ALIKE} more pictures"
                self.console.note(f"{more}: {kind}; -v prints each")
        parts = ", ".join(f"{self.counts[status]} {word}" for status, word in WORDS.items() if self.counts[status])
        total = len(self.jobs) or self.seen
        rest = total - self.seen
        if total > 1:
            self.console.note(f"{total} pictures: {parts or 'none done'}, in {_span(time.monotonic() - self.began)}")
        if self.counts["failed"] and total > 1 and not self.files.dry_run:
            self.console.error(f"{self.counts['failed']} of {total} pictures failed")
        if rest and (stopped or self.files.fail_fast):
            how = "stopped at the failure" if self.counts["failed"] and not stopped else "interrupted"
            self.console.error(f"{how} with {rest} of {total} pictures left; {self._onward()}")
        elif stopped:
            self.console.error("interrupted, with all pictures done")

    def _onward(self) -> str:
        """Return how to go on."""
        if self.files.overwrite:
            return "with --resume in place of --overwrite the same command goes on"
        given = self.files.resume or self.files.skip_existing or self.files.dry_run
        return "the same command goes on" if given else "the same command with --skip-existing goes on"


def _span(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
