"""Defaults from files: `irflow.toml` of the project, `config.toml` of the user."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import platformdirs

from irflow_cli.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] - there on Python 3.10 only

PROJECT = "irflow.toml"


def config_files() -> list[Path]:
    """Return where defaults are looked for, the first to count last: the user's file, then the project's, which is the
    nearest `irflow.toml` in this folder and those above it."""
    here = Path.cwd()
    project = next((folder / PROJECT for folder in (here, *here.parents) if _is_there(folder / PROJECT)), here / PROJECT)
    return [Path(platformdirs.user_config_dir("irflow")) / "config.toml", project]


def _is_there(path: Path) -> bool:
    """Return whether a file is there, as far as one may look."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_config(path: Path) -> dict[str, Any]:
    """Return what a file says, empty when it is not there. Raises UsageError when it is no TOML."""
    if not _is_there(path):
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
