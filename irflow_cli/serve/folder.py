"""The folder that is served: names below it, and no way out of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from irflow_cli.errors import ImageError, IrflowError
from irflow_cli.images.claims import read_file
from irflow_cli.images.formats import SUFFIXES
from irflow_cli.regular import is_there
from irflow_cli.runtime.files import write_atomically


class Forbidden(IrflowError):
    """A name outside of the folder, or a write where only reading is allowed."""


class Taken(IrflowError):
    """A name that a file has already."""


@dataclass(frozen=True)
class Entry:
    """A folder or a picture: its path below the served folder, with / between names, and its bytes (None for a folder)."""

    path: str
    size: int | None


@dataclass(frozen=True)
class Folder:
    """A folder whose pictures may be read and, unless `read_only`, written beside. given: how the person named it."""

    given: Path
    read_only: bool = False

    def place(self, name: str) -> Path:
        """Return the file or folder of a name below this one. Raises Forbidden for a name that leads out, by itself or through
        a link, and for hidden ones."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or "\0" in name or "\\" in name or any(part.startswith(".") for part in parts):
            raise Forbidden(f"{name}: is not a name inside the folder; choose one from its list")
        root = self.given.resolve()
        path = root.joinpath(*parts)
        try:
            inside = path.resolve().is_relative_to(root)
        except (OSError, RuntimeError, ValueError):  # links that lead to themselves, names that are too long or cannot be
            inside = False
        if not inside:
            raise Forbidden(f"{name}: leads out of the folder; choose one from its list")
        return path

    def shown(self, name: str) -> str:
        """Return a name below this folder as one would type it where the server was started."""
        shown = os.path.normpath(self.given / name)
        return f"./{shown}" if shown.startswith("-") else shown  # else it would be an option

    def list(self, name: str = "") -> list[Entry]:
        """Return the folders and the pictures in a folder, folders first, each in the order of the names."""
        place, folders, pictures = self.place(name), [], []
        try:
            with os.scandir(place) as found:
                for entry in sorted(found, key=lambda entry: entry.name.casefold()):
                    below = f"{name.strip('/')}/{entry.name}".lstrip("/")
                    if entry.name.startswith(".") or not self._inside(below):
                        continue
                    if entry.is_dir():
                        folders.append(Entry(below, None))
                    elif entry.is_file() and Path(entry.name).suffix.lower() in SUFFIXES:
                        pictures.append(Entry(below, entry.stat().st_size))
        except OSError as error:
            raise ImageError(f"{name or self.given}: {error.strerror or error}") from None
        return folders + pictures

    def read(self, name: str, max_pixels: int) -> bytes:
        """Return a picture's bytes. Raises ImageError for one that is missing, no regular file, or larger than a picture of
        `max_pixels`."""
        path = self.place(name)
        try:
            return read_file(path, max_pixels)
        except ImageError as error:
            raise ImageError(str(error).replace(str(path), name)) from None

    def write(self, name: str, data: bytes, *, overwrite: bool = False) -> Path:
        """Write a file, whole or not at all, and return its path. Raises Forbidden, Taken, ImageError, DiskFull."""
        if self.read_only:
            raise Forbidden("the folder is served for reading only; download the result, or start without that")
        path = self.place(name)
        if path.suffix.lower() not in SUFFIXES:
            raise Forbidden(f"{name}: does not end like a picture")
        if is_there(path) and not overwrite:
            raise Taken(f"{name} exists; choose to replace it, or download the result")
        write_atomically(path, data, overwrite=overwrite)
        return path

    def _inside(self, name: str) -> bool:
        try:
            self.place(name)
        except Forbidden:
            return False
        return True
