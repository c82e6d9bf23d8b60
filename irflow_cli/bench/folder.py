"""The folder of a report, in which a run replaces nothing but what runs wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path

from irflow_cli.bench.records import MOST, Record
from irflow_cli.errors import UsageError, require
from irflow_cli.regular import read_regular

PAGE, TABLE = "report.html", "table.md"  # beside the results


def check_own(store: Path | None, folder: Path | None) -> None:
    """Raise UsageError where a run that keeps its records in `store`, and its report in `folder`, would replace what no run
    wrote: a file that has other lines than results, or a page or table without results."""
    known = store is not None and store.is_file() and store.stat().st_size > 0
    if store is not None and known and (line := _stranger_in(store)):
        raise UsageError(f"{store}, line {line}: not a line of results; give another `report`")
    for path in [] if folder is None or known else [folder / PAGE, folder / TABLE]:
        require(not os.path.lexists(path), f"{path} exists, without results that it is of; give another `report`, or remove it")


def _stranger_in(path: Path) -> int | None:
    """Return the number of the first line that is neither a record nor says what records were made with, None where there is
    none. A last line that was cut off is none. Raises UsageError when the file cannot be read."""
    try:
        lines = read_regular(path, MOST).decode(errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            if number == 1 or number < len(lines):
                return number
            continue
        try:
            if "environment" not in dict(values):
                Record.from_dict(values)
        except (ValueError, TypeError):
            return number
    return None
