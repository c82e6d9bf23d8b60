"""Pictures in folders, found by the endings of their names."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from irflow_cli.images.formats import SUFFIXES
from irflow_cli.regular import open_regular

# How the names of pictures end that are not read, or may be more than one.
OTHERS = frozenset(
    {
        *(".gif", ".mpo", ".jxl", ".jp2", ".psd", ".xcf", ".exr", ".hdr", ".tga", ".ppm", ".pgm", ".pnm", ".dcm", ".fits"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    }
)
HEADS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"8BPS")  # how pictures begin, whatever they are called


def find_pictures(folder: Path, *, deep: bool = True, ends: Collection[str] = SUFFIXES) -> list[Path]:
    """Return the files in `folder`, and with `deep` below it, sorted, whose names end like pictures, or as `ends` says.

    Folders and files that start with a dot are left out; links to folders are not followed, so there are no loops. A folder
    that may not be looked into is returned itself, so that it fails as a picture does, and so are files that may not be.
    """
    found: list[Path] = []
    closed: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        pictures = (Path(root, name) for name in files if not name.startswith("."))
        found += [path for path in pictures if path.suffix.lower() in ends and may_be_file(path)]
    return sorted([*found, *(Path(error.filename) for error in closed)])


def may_be_file(path: Path) -> bool:
    """Return whether a file is called so, or something that may not be looked at, which is found out when its turn comes."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        return True
    except OSError:  # a link that leads nowhere
        return False


def find_others(folder: Path, *, deep: bool = True) -> list[Path]:
    """Return the files where `find_pictures` looks that are pictures too, by the ends of their names or, without such an end,
    by how they begin, but that it leaves out."""
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        paths = [Path(root, name) for name in files if not name.startswith(".")]
        found += [path for path in paths if path.suffix.lower() in OTHERS or (not path.suffix and _begins_as_picture(path))]
    return sorted(found)


def _begins_as_picture(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            head = file.read(12)
    except OSError:
        return False
    return head.startswith(HEADS) or (head[:4] == b"RIFF" and head[8:] == b"WEBP") or head[4:8] == b"ftyp"
