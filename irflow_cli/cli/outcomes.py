"""How a batch is told to the user while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irflow_cli.cli.console import Console

if TYPE_CHECKING:
    pass


def report_outcomes(console: Console, total: int, outcomes) -> int:
    """Print every outcome as it comes, the failures once more at the end, and return the exit code."""
    failed = done = 0
    with console.progress("irflow", total) as show:
        for outcome in outcomes(show):
            done += 1
            for note in outcome.notes:
                console.note(f"{outcome.job.source}: {note}")
            if outcome.error:
                failed += 1
                console.error(outcome.error)
                if console.as_json:
                    console.result("", input=outcome.job.source, output=None, error=outcome.error)
            else:
                console.result(str(outcome.job.target), input=outcome.job.source, output=outcome.job.target, error=None)
    if failed and total > 1:
        console.error(f"{failed} of {total} pictures failed")
    return 1 if failed else 0
