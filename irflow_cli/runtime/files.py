"""Files that are written whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from irflow_cli.errors import CLOSED, FULL, DiskFull, FolderClosed, ImageError
from irflow_cli.regular import is_folder

PART = ".part"  # how the names of files end that are not whole yet
NOT_HERE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOTTY)  # said of what a file system cannot do
BEGUN: set[str] = set()  # files of this process that have no name of their own yet
UMASK = threading.Lock()  # it can be read only by setting it, which others would see


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path`: whole, or not at all. Raises ImageError when it exists or cannot be written, DiskFull."""
    write_together({path: data}, overwrite=overwrite)


def write_together(files: Mapping[Path, bytes], *, overwrite: bool) -> None:
    """Write files that belong together: all of them whole, or none. Raises as `write_atomically`."""
    for path in files:
        with writing(path):
            if path.is_dir():  # found now, for the file before it would have been replaced
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if os.path.lexists(path) and not overwrite:
                raise _taken(path)
            if path.exists() and not path.is_file():
                raise ImageError(f"{path} is a pipe or a device; give another `output`, or - for standard output")
    begun: dict[Path, str] = {}
    named: list[Path] = []
    try:
        for path, data in files.items():
            with writing(path):
                begun[path] = _begin(path, data)
        for path in files:
            with writing(path):
                _name(begun[path], path, overwrite=overwrite)
            del begun[path]
            named.append(path)
            _settle(path.parent)
    finally:
        undone = named if begun and not overwrite else []  # they were not there before
        for left in (*begun.values(), *undone):
            _drop(str(left))


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says inside of a file that is written into one line. Raises DiskFull, ImageError, FolderClosed."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(f"cannot write {path}: {error.strerror}; make room and run again") from None
        kind = FolderClosed if error.errno in CLOSED else ImageError
        raise kind(f"cannot write {path}: {error.strerror or error}") from None


def may_write(folder: Path) -> bool:
    """Return whether the rights of a folder, or of where it is to be made, allow files in it. Nothing is touched."""
    return os.access(_there(folder), os.W_OK | os.X_OK)


def _there(folder: Path) -> Path:
    """Return a folder, or the nearest above it that there is."""
    return next((place for place in (folder, *folder.absolute().parents) if os.path.lexists(place)), Path())


def takes_files(folder: Path) -> bool:
    """Return whether a file can be made in a folder, or where it is to be made."""
    try:
        handle, name = tempfile.mkstemp(suffix=PART, dir=_there(folder))
    except OSError:
        return False
    os.close(handle)
    Path(name).unlink()
    return True


def flush_to_disk(file: IO[bytes]) -> None:
    """Wait until a file's bytes are on the disk, where the file system can say so: shares and mounts of object stores often
    cannot. Raises OSError for disks that are full or broken."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in NOT_HERE:
            raise


def _begin(path: Path, data: bytes) -> str:
    """Write data to a file beside `path`, with its permissions, and return its name; where that fails none is left."""
    with contextlib.suppress(FileExistsError):  # a file in the folder's place: the next line says so in better words
        path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=_begun(path), suffix=PART, dir=path.parent)
    BEGUN.add(temporary)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            flush_to_disk(file)
        with contextlib.suppress(OSError):  # shares without permissions of their own refuse it, and the file is as good
            Path(temporary).chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
    except BaseException:
        _drop(temporary)
        raise
    return temporary


def _name(temporary: str, path: Path, *, overwrite: bool) -> None:
    """Give a whole file its name. Raises OSError, and ImageError where another has come to be called so meanwhile."""
    if not overwrite:
        try:
            os.link(temporary, path)  # which never replaces
        except OSError:  # it exists, or the file system has no links, where no more can be done than to look again
            if os.path.lexists(path):
                raise _taken(path) from None
        else:
            _drop(temporary)
            return
    os.replace(temporary, path)  # noqa: PTH105 - one call, atomic on every system
    BEGUN.discard(temporary)


def _drop(temporary: str) -> None:
    with contextlib.suppress(OSError):
        Path(temporary).unlink()
    BEGUN.discard(temporary)


def clear_all_begun() -> None:
    """Remove what this process has begun to write and not named yet. For its end, when threads may still be at it."""
    for temporary in tuple(BEGUN):
        _drop(temporary)


def _taken(path: Path) -> ImageError:
    return ImageError(f"{path} exists; use `overwrite` or another output")


def _settle(folder: Path) -> None:
    """Bring a folder's names to the disk. The file in it is whole, so that it is no failure where a system refuses that."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def begun_in(folder: Path) -> list[Path]:
    """Return the files in a folder that are not whole: of runs that were killed, or that are at it."""
    return list(folder.glob(f".*{PART}")) if is_folder(folder) else []


def clear_begun(path: Path, begun: list[Path]) -> None:
    """Remove those of some files that were to become `path`."""
    for part in begun:
        if part.parent == path.parent and part.name.startswith(_begun(path)):
            with contextlib.suppress(OSError):
                part.unlink()


def _begun(path: Path) -> str:
    """Return how the names of files begin that are to become `path` when they are whole, and no other."""
    return f".{path.name[:40]}.{zlib.crc32(os.fsencode(path.name)):08x}."


def _umask() -> int:
    with UMASK:
        mask = os.umask(0)
        os.umask(mask)
        return mask
