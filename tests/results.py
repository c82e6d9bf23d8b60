"""What a command leaves: the files below a folder, and records among lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path


def below(folder: Path) -> list[str]:
    """Return the names of the files below a folder, in order."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def records_of(text: str) -> list[dict]:
    """Return the records of `irflow bench`, without the line that says how they were made."""
    return [record for record in map(json.loads, text.splitlines()) if "environment" not in record]
