"""What a folder's results were made from, so that a broken batch can go on and trust what it finds."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from irflow_cli.errors import FULL, DiskFull, ImageError
from irflow_cli.regular import read_regular
from irflow_cli.runtime.files import flush_to_disk

NAME = ".irflow.jsonl"
MOST = 2**36  # bytes of a record or a result that are looked at; pipes and devices have no end


@dataclass
class Manifest:
    """The record of one folder, a line for each result: its name, the key of what it is made from (source's content,
    settings, checkpoint), and the sha256 of its bytes, noted before they are written. Lines are only ever added: the last one
    says what a file has to be, and all of them which bytes are irflow's own and may be replaced."""

    folder: Path
    entries: dict[str, dict[str, str]] = field(default_factory=dict)
    written: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Manifest:
        """Return the folder's record, empty when there is none. Lines that were cut off are passed over. Raises ImageError."""
        manifest = cls(folder)
        path = folder / NAME
        try:
            if path.is_symlink():  # what is added to it would go elsewhere
                raise OSError(errno.EINVAL, "a link, and no record is one")
            lines = read_regular(path, MOST).decode(errors="replace").splitlines() if path.exists() else []
        except OSError as error:
            raise ImageError(
                f"{path}: {error.strerror or error}; `resume` needs it, move it away or leave `resume` out"
            ) from None
        for line in lines:
            try:
                entry = json.loads(line)
                manifest._note({key: str(entry[key]) for key in ("name", "key", "sha256")})
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
        return manifest

    def proves(self, target: Path, key: str) -> bool:
        """Return whether the file `target` is the whole result of what `key` stands for, to the byte."""
        entry = self.entries.get(target.name)
        if entry is None or entry["key"] != key or not target.is_file():
            return False
        try:
            return entry["sha256"] == sha256(read_regular(target, MOST))
        except OSError:
            return False

    def knows(self, target: Path) -> bool:
        """Return whether the bytes in the file `target` are some that irflow wrote there, so that they may be replaced."""
        try:
            return target.name in self.written and sha256(read_regular(target, MOST)) in self.written[target.name]
        except OSError:
            return False

    def record(self, target: Path, key: str, data: bytes) -> None:
        """Note the bytes that a result is about to hold. Raises ImageError and DiskFull."""
        entry = {"name": target.name, "key": key, "sha256": sha256(data)}
        self._note(entry)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
            with os.fdopen(handle, "ab") as file:  # one write of one line, begun anew after a line that was cut off
                cut = file.tell() and not self._ends_whole()
                file.write((b"\n" if cut else b"") + json.dumps(entry).encode() + b"\n")
                flush_to_disk(file)
        except OSError as error:
            if error.errno in FULL:
                raise DiskFull(f"cannot write {self.folder / NAME}: {error.strerror}; make room and run again") from None
            raise ImageError(f"cannot write {self.folder / NAME}: {error.strerror or error}") from None

    def _note(self, entry: dict[str, str]) -> None:
        self.entries[entry["name"]] = entry
        self.written.setdefault(entry["name"], set()).add(entry["sha256"])

    def _ends_whole(self) -> bool:
        with (self.folder / NAME).open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
