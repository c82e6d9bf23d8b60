"""Where irflow keeps its own files. No torch here, so that the shell can complete their names at once."""

from __future__ import annotations

import os
from pathlib import Path

import irflow_cli
from irflow_cli.regular import is_folder


def shipped_folder() -> Path:
    """Return the folder of the checkpoints that ship: inside the installed package, or `weights/` of a source tree."""
    package = Path(irflow_cli.__file__).parent
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def own_cache() -> Path:
    """Return the user's cache of irflow: `IRFLOW_CACHE_DIR`, or the platform's cache folder."""
    import platformdirs

    chosen = os.environ.get("IRFLOW_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("irflow"))


def cache_folder() -> Path:
    """Return the folder of the checkpoints in the user's cache."""
    return own_cache() / "checkpoints"


def batches_folder() -> Path:
    """Return the folder of the records of batches that keep none beside their results."""
    return own_cache() / "batches"


def checkpoints_in(*folders: Path) -> list[Path]:
    """Return the checkpoint files in folders, in their order and sorted by name within them."""
    return [path for folder in folders if is_folder(folder) for path in sorted(folder.glob("*.safetensors"))]
