"""Folders of object stores, through fsspec: a local mirror in which pictures are only while they are worked on.

Files of the store stand in the mirror as files of their names and sizes without content, so that all that is planned over local
folders holds for remote ones. What a job reads is brought when its turn comes, and a result is sent as soon as it is whole, by
one put: stores have no rename, and need none.
"""

from __future__ import annotations

import glob
import importlib
import os
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from irflow_cli import extras
from irflow_cli.errors import ImageError, IrflowError, UsageError
from irflow_cli.images.formats import SUFFIXES
from irflow_cli.runtime.files import write_atomically

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "memory": "fsspec"}  # by scheme: what reaches its stores
ADDRESS = re.compile(rf"({'|'.join(PACKAGES)})://(.+)")
KEPT = 64  # masks that stay in the mirror: one may be for all pictures


def is_remote(name: object) -> bool:
    """Return whether a name is an address in a store that irflow reaches."""
    return ADDRESS.fullmatch(address_of(name.as_posix() if isinstance(name, Path) else str(name))) is not None


def address_of(name: str) -> str:
    """Return an address with the two slashes that a path of it has lost."""
    return re.sub(rf"^({'|'.join(PACKAGES)}):/(?!/)", r"\1://", name)


class Mirror:
    """A temporary folder with a place for everything in the stores, SCHEME/BUCKET/KEY below `root`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="irflow-")
        self.root = Path(self._folder.name).resolve()
        self._forget()

    def close(self) -> None:
        """Remove the mirror."""
        self._folder.cleanup()

    def holds(self, path: Path) -> bool:
        """Return whether a path is a place of the mirror."""
        return self.root in path.parents

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root}  # on another machine it is filled as needed

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.root = state["root"]
        self._forget()

    def _forget(self) -> None:
        self._masks: OrderedDict[Path, None] = OrderedDict()
        self._lock = threading.Lock()

    def local(self, address: str) -> Path:
        """Return the place of an address in the mirror. Raises UsageError for one that would lead out of it."""
        scheme, _, key = address_of(address).partition("://")
        parts = [part for part in key.split("/") if part]
        if not parts or {".", ".."} & set(parts):
            raise UsageError(f"{address} names no place in a store; give {scheme}://BUCKET/FOLDER")
        return self.root.joinpath(scheme, *parts)

    def named(self, text: str) -> str:
        """Return a text in which what lies in the mirror has its address for a name."""
        return re.sub(rf"{re.escape(str(self.root))}/({'|'.join(PACKAGES)})/", r"\1://", text)

    def show(self, address: str, *, deep: bool) -> Path:
        """Put places for the pictures at an address, a folder, a picture or a pattern, and return its own.

        Raises UsageError where there is nothing, or nothing that may be looked at.
        """
        place = self.local(address)
        found = list(self._listed(address_of(address), deep=deep))
        if not found:
            raise UsageError(f"there is nothing at {address_of(address)}; check the address, and the credentials of its store")
        self._put_places(address, found)
        if not glob.has_magic(str(place)) and not place.exists():
            place.mkdir(parents=True)
        return place

    def show_results(self, address: str) -> Path:
        """Put places for the results that lie at an address already, and return its own. Raises UsageError as `show` does."""
        place = self.local(address)
        if place.suffix.lower() not in SUFFIXES:
            place.mkdir(parents=True, exist_ok=True)
        self._put_places(address, self._listed(address_of(address), deep=True))
        return place

    def bring(self, path: Path | None, *, mask: bool = False) -> None:
        """Fill a place with what the store has there, if it is one. Raises ImageError."""
        key = self._key_of(path)
        if path is None or key is None or path in self._masks:
            return
        try:
            write_atomically(path, self._store(key[0]).cat_file(key[1]), overwrite=True)
        except Exception as error:
            raise ImageError(f"{path}: cannot be fetched ({_said(error)})") from None
        if mask:
            with self._lock:
                self._masks[path] = None
                old = self._masks.popitem(last=False)[0] if len(self._masks) > KEPT else None
            self.drop(old)

    def drop(self, path: Path | None) -> None:
        """Give back the room of what was brought, or sent."""
        if self._key_of(path) is not None and path is not None and path.exists():
            os.truncate(path, 0)

    def send(self, path: Path) -> None:
        """Put a result where it belongs, if that is in a store. Raises IrflowError, which ends the run, where the store does
        not take it at all, and ImageError for this one result."""
        key = self._key_of(path)
        if key is None:
            return
        try:
            self._store(key[0]).pipe_file(key[1], path.read_bytes())
        except (PermissionError, FileNotFoundError) as error:
            path.unlink()
            raise IrflowError(
                f"{self.named(str(path.parent))} cannot be written to ({_said(error)}); give another output, or credentials"
            ) from None
        except Exception as error:
            path.unlink()
            raise ImageError(f"cannot write {path}: {_said(error)}") from None
        self.drop(path)

    def _key_of(self, path: Path | None) -> tuple[str, str] | None:
        """Return the scheme and the key of a place, or None for a file that is none of the mirror's."""
        if path is None or not self.holds(path):
            return None
        scheme, *parts = path.relative_to(self.root).parts
        return scheme, "/".join(parts)

    def _put_places(self, address: str, found: Iterable[tuple[str, int]]) -> None:
        """Put a place for every picture among what was found at an address."""
        scheme = address.partition(":")[0]
        for name, size in found:
            if Path(name).suffix.lower() in SUFFIXES and not {".", ".."} & set(name.split("/")):
                path = self.local(f"{scheme}://{name}")
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    file.truncate(size)  # without content, and without room on the disk

    def _listed(self, address: str, *, deep: bool) -> Iterator[tuple[str, int]]:
        """Yield the key and the size of files at an address. Raises UsageError."""
        scheme, _, key = address.partition("://")
        store = self._store(scheme)
        try:
            if glob.has_magic(key) and not store.exists(key):
                found = list(store.glob(key, detail=True).values())
            else:
                found = store.find(key.rstrip("/"), maxdepth=None if deep else 1, detail=True).values()
        except FileNotFoundError:
            return
        except Exception as error:
            raise UsageError(
                f"{address} cannot be looked into ({_said(error)}); check the address and its credentials"
            ) from None
        yield from ((str(one["name"]).lstrip("/"), int(one.get("size") or 0)) for one in found if one.get("type") == "file")

    def _store(self, scheme: str) -> Any:
        """Return what reaches the stores of a scheme; fsspec keeps one. Raises UsageError where its package is missing."""
        try:
            importlib.import_module(PACKAGES[scheme])
            return importlib.import_module("fsspec").filesystem(scheme)
        except ImportError:
            raise UsageError(f"{scheme}:// needs {PACKAGES[scheme]}; {extras.hint('remote')}") from None


def _said(error: Exception) -> str:
    return " ".join(f"{error}".split()) or type(error).__name__
