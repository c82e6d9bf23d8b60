"""Pictures in folders, found by the endings of their names."""

from __future__ import annotations

import os
from pathlib import Path

from irflow_cli.images.formats import SUFFIXES


def find_pictures(folder: Path, *, deep: bool = True) -> list[Path]:
    """Return the files in `folder`, and with `deep` below it, sorted, whose names end like pictures.

    Folders and files that start with a dot are left out; links to folders are not followed, so there are no loops. A folder
    that may not be looked into is returned itself, so that it fails as a picture does.
    """
    found: list[Path] = []
    closed: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        pictures = (Path(root, name) for name in files if not name.startswith("."))
        found += [path for path in pictures if path.suffix.lower() in SUFFIXES and path.is_file()]
    return sorted([*found, *(Path(error.filename) for error in closed)])
