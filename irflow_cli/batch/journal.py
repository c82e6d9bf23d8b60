"""What a folder's results were made from, so that a broken batch can go on and trust what it finds."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from irflow_cli.errors import FULL, DiskFull, ImageError
from irflow_cli.regular import append_regular, digest_regular, is_folder, is_there, read_regular
from irflow_cli.runtime.files import flush_to_disk
from irflow_cli.runtime.places import batches_folder

NAME = ".irflow.jsonl"
MOST = 2**28  # bytes of a record, of more than a million results, which is read as a whole
RESULT = 2**36  # bytes of a result that is looked at, a part at a time
KEPT = 90 * 86400  # seconds that a record in the cache is kept after its last line


@dataclass
class Manifest:
    """The record of one folder, a line for each result: its name, the key of what it is made from (source's content,
    settings, checkpoint), and the sha256 of its bytes, noted before they are written. Lines are only ever added: the last one
    says what a file has to be, and all of them which bytes are irflow's own and may be replaced.

    Runs with `resume` keep it in the folder itself, where other machines find it; others, which leave nothing but results
    there, in the user's cache."""

    folder: Path
    entries: dict[str, dict[str, str]] = field(default_factory=dict)
    written: dict[str, set[str]] = field(default_factory=dict)
    taken: int = 0  # bytes of the record beside the results that were read

    @classmethod
    def of(cls, folder: Path) -> Manifest:
        """Return the folder's record, empty when there is none. Lines that were cut off are passed over. Raises ImageError."""
        manifest = cls(folder)
        path = folder / NAME
        with contextlib.suppress(OSError):
            manifest._take(read_regular(aside(folder), MOST))
        try:
            if os.path.islink(path):  # noqa: PTH114 - False where the folder is closed; what is added to a link would go elsewhere
                raise OSError(errno.EINVAL, "a link, and no record is one")
            manifest.read_on()
        except OSError as error:
            raise ImageError(
                f"{path}: {error.strerror or error}; what was done is kept under that name, move away what is there"
            ) from None
        return manifest

    def read_on(self) -> None:
        """Read what this run or others have added to the record beside the results since it was read. Raises OSError."""
        path = self.folder / NAME
        data = read_regular(path, MOST, self.taken) if is_there(path) else b""
        self._take(data)
        self.taken += data.rfind(b"\n") + 1  # the last line may be half there

    def _take(self, data: bytes) -> None:
        for line in data.decode(errors="replace").splitlines():
            try:
                entry = json.loads(line)
                self._note({key: str(entry[key]) for key in ("name", "key", "sha256")})
            except (ValueError, KeyError, TypeError, RecursionError):
                continue

    def proves(self, target: Path, key: str) -> bool:
        """Return whether the file `target` is the whole result of what `key` stands for, to the byte."""
        entry = self.entries.get(target.name)
        if entry is None or entry["key"] != key or not target.is_file():
            return False
        try:
            return entry["sha256"] == digest_regular(target, RESULT)
        except OSError:
            return False

    def knows(self, target: Path) -> bool:
        """Return whether the bytes in the file `target` are some that irflow wrote there, so that they may be replaced."""
        try:
            return target.name in self.written and digest_regular(target, RESULT) in self.written[target.name]
        except OSError:
            return False

    def record(self, target: Path, key: str, data: bytes, *, beside: bool) -> None:
        """Note the bytes that a result is about to hold, beside it or in the cache. Raises ImageError and DiskFull for what is
        beside it; without the cache no more is lost than that a later run cannot go on."""
        entry = {"name": target.name, "key": key, "sha256": sha256(data)}
        self._note(entry)
        if not beside:
            with contextlib.suppress(OSError):
                _add(_fresh(aside(self.folder)), entry)
            return
        try:
            _add(self.folder / NAME, entry)
        except OSError as error:
            if error.errno in FULL:
                raise DiskFull(f"cannot write {self.folder / NAME}: {error.strerror}; make room and run again") from None
            raise ImageError(f"cannot write {self.folder / NAME}: {error.strerror or error}") from None

    def _note(self, entry: dict[str, str]) -> None:
        self.entries[entry["name"]] = entry
        self.written.setdefault(entry["name"], set()).add(entry["sha256"])


def aside(folder: Path) -> Path:
    """Return where the cache has the record of a folder."""
    return batches_folder() / f"{sha256(os.fsencode(folder.resolve()))[:32]}.jsonl"


def _fresh(path: Path) -> Path:
    """Return the place of a record in the cache. With a new one, those that nothing was added to for long are removed."""
    if not is_there(path) and is_folder(path.parent):
        for old in path.parent.glob("*.jsonl"):
            if time.time() - old.stat().st_mtime > KEPT:
                old.unlink(missing_ok=True)
    return path


def _add(path: Path, entry: dict[str, str]) -> None:
    """Add a line to a record, in one write, begun anew after a line that was cut off. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with append_regular(path) as file:
        cut = file.tell() and not _ends_whole(path)
        file.write((b"\n" if cut else b"") + json.dumps(entry).encode() + b"\n")
        flush_to_disk(file)


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
