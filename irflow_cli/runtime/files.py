"""Files that are written whole, or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import tempfile
import zlib
from pathlib import Path

from irflow_cli.errors import FULL, DiskFull, ImageError

PART = ".part"  # how the names of files end that are not whole yet


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path`: whole, or not at all. Raises ImageError when it exists or cannot be written, DiskFull."""
    if path.exists() and not overwrite:
        raise ImageError(f"{path} exists; use `overwrite` or another output")
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=_begun(path), suffix=PART, dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)  # noqa: PTH105 - one call, atomic on every system
        if os.name == "posix":  # the name, too, is on the disk
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        if isinstance(error, OSError):
            if error.errno in FULL:
                raise DiskFull(f"cannot write {path}: {error.strerror}; make room and run again") from None
            raise ImageError(f"cannot write {path}: {error.strerror or error}") from None
        raise


def clear_begun(path: Path) -> None:
    """Remove what a run that was killed had begun to write to `path`."""
    for begun in path.parent.glob(f"{glob.escape(_begun(path))}*{PART}"):
        with contextlib.suppress(OSError):
            begun.unlink()


def _begun(path: Path) -> str:
    """Return how the names of files begin that are to become `path` when they are whole, and no other."""
    return f".{path.name[:40]}.{zlib.crc32(os.fsencode(path.name)):08x}."


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
