"""Defaults from files: `irflow.toml` of the project, `config.toml` of the user."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import platformdirs

from irflow_cli.errors import UsageError
from irflow_cli.regular import is_there, open_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] - there on Python 3.10 only

PROJECT = "irflow.toml"
ROOTS = (".git", ".hg", ".svn")  # what the root of a repository holds
MOST = 2**16  # bytes; a file that sets every option has a tenth


@dataclass(frozen=True)
class ConfigFile:
    """A file of defaults.

    own: the user's own, otherwise the project's, which may be a stranger's. values: its tables, None when it is not there.
    unread: why it was not read though it is there.
    """

    path: Path
    own: bool
    there: bool = False
    values: dict[str, Any] | None = None
    unread: str | None = None


def config_files() -> list[ConfigFile]:
    """Return where defaults are looked for and what is there, the first to count last: the user's file, then the project's.

    The project's is the nearest `irflow.toml` in this folder and those above it, up to the user's home folder, the root of a
    repository and the border of the file system. A file that belongs to somebody else is not read: whoever may put files
    into a folder above could else choose for all who work below it. Raises UsageError for a file that is no TOML.
    """
    user = Path(platformdirs.user_config_dir("irflow")) / "config.toml"
    found = [_read(user, own=True) if user.is_absolute() else ConfigFile(user, own=True)]  # without a home it is `~/...` here
    return [*found, _read(_project(), own=False)]


def _project() -> Path:
    """Return where the project's file is, or would be in this folder."""
    folders = list(_folders())
    here = folders[0] if folders else Path()
    return next((folder / PROJECT for folder in folders if is_there(folder / PROJECT)), here / PROJECT)


def _folders() -> Iterator[Path]:
    """Yield this folder and those above it in which a project's file may be; none when this folder has been deleted."""
    try:
        here = Path.cwd()
        device = here.stat().st_dev
    except OSError:
        return
    home = _home()
    for folder in (here, *here.parents):
        try:
            if folder.stat().st_dev != device:
                return
        except OSError:
            return
        yield folder
        if folder == home or any(is_there(folder / name) for name in ROOTS):
            return


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except (OSError, RuntimeError):  # no home, or links that go round
        return None


def _read(path: Path, *, own: bool) -> ConfigFile:
    if not is_there(path) or path.is_dir():
        return ConfigFile(path, own)
    try:
        with open_regular(path) as file:
            stranger = _stranger(path, file)
            data = b"" if stranger is not None else file.read(MOST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    if stranger is not None:
        return ConfigFile(path, own, there=True, unread=f"it belongs to another user ({stranger})")
    return ConfigFile(path, own, there=True, values=_parsed(path, data))


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    """Return the tables of a TOML file. Raises UsageError that names the file."""
    try:
        if len(data) > MOST:
            raise ValueError(f"it has more than {MOST} bytes")
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise UsageError(f"{path} cannot be read: it is nested too deeply") from None
    except ValueError as error:  # no TOML, no UTF-8, a number of more digits than Python takes
        raise UsageError(f"{path} cannot be read: {error}") from None


def _stranger(path: Path, file: BinaryIO) -> int | None:
    """Return the user that a file, or the link to it, belongs to, if that is neither this one nor root."""
    if not hasattr(os, "geteuid"):
        return None
    owners = (path.lstat().st_uid, os.fstat(file.fileno()).st_uid)
    return next((owner for owner in owners if owner not in (os.geteuid(), 0)), None)
