"""The cache of engines: graphs of networks and what was timed. Every file begins with the sha256 of its name and the rest, so
that one that is damaged, or another's, is found and made again."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import irflow_cli
from irflow_cli.errors import IrflowError
from irflow_cli.regular import read_regular
from irflow_cli.runtime.files import write_atomically
from irflow_cli.runtime.places import own_cache

MOST = 2**30  # bytes of a graph
DIGEST = hashlib.sha256().digest_size
SOURCES = (Path(__file__).parent, Path(irflow_cli.__file__).parent / "nets")  # of what makes graphs, and what they are made of


def key(*parts: Any) -> str:
    """Return the name of what belongs to parts, JSON values, and to this version of irflow, whose networks and engines may also
    have been changed by hand."""
    about = [irflow_cli.__version__, _code(SOURCES), *parts]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _code(folders: tuple[Path, ...]) -> str:
    """Return the sha256 of the Python in folders."""
    found = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def engines_folder() -> Path:
    """Return the folder of the engines' cache, beside that of the checkpoints."""
    return own_cache() / "engines"


def read(name: str) -> bytes | None:
    """Return the content of a file of the cache; None where it is missing, cannot be read or is damaged."""
    try:
        data = read_regular(engines_folder() / name, MOST)
    except OSError:
        return None
    content = data[DIGEST:]
    return content if _seal(name, content) == data[:DIGEST] else None


def write(name: str, content: bytes) -> str | None:
    """Keep a content in the cache. Return why that failed, None where it did not: it is made again next time, which costs some
    seconds and no result."""
    try:
        write_atomically(engines_folder() / name, _seal(name, content) + content, overwrite=True)
    except (IrflowError, OSError) as error:
        return str(error).partition(";")[0]  # without what a command would do about it
    return None


def _seal(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + content).digest()


def read_json(name: str) -> Any:
    """Return the values of a file of the cache, as `read`."""
    try:
        return json.loads(read(name) or b"null")
    except (ValueError, RecursionError):
        return None


def write_json(name: str, values: Any) -> str | None:
    """Keep JSON values in the cache, as `write`."""
    return write(name, json.dumps(values, indent=1, sort_keys=True).encode())
