"""What checkpoints there are, and what they say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from irflow_cli.errors import CheckpointError
from irflow_cli.runtime.checkpoints import Card, known_checkpoints, read_card, resolve


@dataclass(frozen=True)
class Known:
    """A checkpoint file with its card, or with what is wrong with it."""

    path: Path
    card: Card | None
    error: str | None = None


def list_checkpoints() -> list[Known]:
    """Return the shipped and the cached checkpoints; a damaged one is in the list with its error."""
    return [_look(path) for path in known_checkpoints()]


def show_checkpoint(name: str) -> Known:
    """Return one checkpoint with its card. Raises CheckpointError when it is missing or damaged."""
    path = resolve(name)
    return Known(path, read_card(path))


def _look(path: Path) -> Known:
    try:
        return Known(path, read_card(path))
    except CheckpointError as error:
        return Known(path, None, str(error))
