"""Files as such: opened only where they are files, for a pipe waits for ever and a device never ends."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

KINDS = (  # what else may lie under a name, links followed
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
UNTOLD = 2**20  # bytes that are read of files that do not tell their size, as those of /proc
AS_FILE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
READING = os.O_RDONLY | AS_FILE
ADDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | AS_FILE


def open_regular(path: Path) -> BinaryIO:
    """Return a file opened for reading, links followed. Raises OSError, with a reason in its `strerror`, for pipes, devices,
    sockets and folders, none of which is waited for."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode) and not os.access(path, os.R_OK):  # what is wrong with a folder that was to be looked into
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    _check(mode)  # before opening, which some devices answer to
    handle = os.open(path, READING)
    try:
        _check(os.fstat(handle).st_mode)  # what was opened may be another by now
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def append_regular(path: Path) -> BinaryIO:
    """Return a file opened for adding to its end, made where it is missing. Raises OSError as `open_regular` does, and for a
    link: what is added to it would go elsewhere."""
    handle = os.open(path, ADDING, 0o666)
    try:
        _check(os.fstat(handle).st_mode)
        return os.fdopen(handle, "ab")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, most: int, start: int = 0) -> bytes:
    """Return the bytes from `start` on of a file that has no more than `most`. Raises OSError as `open_regular` does, and for
    more."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:  # before any of it takes memory
            raise _too_large(most)
        file.seek(min(start, size))
        data = file.read(min(most, max(size - start, UNTOLD)) + 1)  # no more, for Python takes the memory for what it is asked
    if len(data) > most:
        raise _too_large(most)
    return data


def digest_regular(path: Path, most: int | None = None) -> str:
    """Return the sha256, in hexadecimal, of a file that has no more than `most` bytes, of which few are in memory at a time.
    Raises OSError as `read_regular` does."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        if most is not None and os.fstat(file.fileno()).st_size > most:
            raise _too_large(most)
        while block := file.read(UNTOLD):
            digest.update(block)
    return digest.hexdigest()


def is_there(path: Path) -> bool:
    """Return whether something is called so; what may not or cannot be looked at counts as missing, as from Python 3.14 on."""
    try:
        return path.exists()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return whether a folder is called so, as `is_there`."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _check(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    other = next((name for holds, name in KINDS if holds(mode)), None)
    if other:
        raise OSError(errno.EINVAL, f"{other}, not a file; save what it gives to a file first")


def _too_large(most: int) -> OSError:
    size = f"{most / 2**20:.0f} MiB" if most >= 2**20 else f"{most / 2**10:.0f} KiB"
    return OSError(errno.EINVAL, f"larger than {size}, which no file of its kind is")
