"""What a call leaves: files below a folder, records among lines of JSON, and memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def below(folder: Path) -> list[str]:
    """Return the names of the files below a folder, in order."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def records_of(text: str) -> list[dict]:
    """Return the records of `irflow bench`, without the line that says how they were made."""
    return [record for record in map(json.loads, text.splitlines()) if "environment" not in record]


@contextmanager
def memory_grows_below(mebibytes: float) -> Iterator[None]:
    """Fail where the most memory that this process has held grows by more; skip where the system does not count it."""
    resource = pytest.importorskip("resource", reason="memory is not counted here")
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes of what `ru_maxrss` counts
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < mebibytes * 2**20
