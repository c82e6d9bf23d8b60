"""Raw frames on the standard streams."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import typed
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import UsageError

# What may be typed beside --raw; other options would do nothing there.
KNOWN = {"inputs", "output", "raw", "max_pixels", "quiet", *(field.name for field in fields(RestoreSettings))}


def check_typed(context: typer.Context) -> None:
    """Raise UsageError for options that would do nothing beside --raw."""
    spare = sorted(typed(context) - KNOWN)
    if spare:
        has, it = ("has", "it") if len(spare) == 1 else ("have", "them")
        raise UsageError(f"{', '.join(f'`{name}`' for name in spare)} {has} no meaning with `raw`; leave {it} out")


def pipe(
    console: Console, text: str, inputs: Sequence[str], output: Path | None, settings: RestoreSettings, max_pixels: int
) -> int:
    """Restore the frames of standard input to standard output, and return the exit code.

    text: their size, `WIDTHxHEIGHT`, of `max_pixels` at most.
    """
    from irflow_cli.services.restore_raw import Frames, restore_frames

    frames = Frames.of(text, max_pixels)
    if list(inputs) != ["-"] or str(output or "-") != "-":
        raise UsageError("`raw` takes frames from standard input to standard output; give - as the input, and no output")
    if sys.stdin is None:
        raise UsageError("standard input is closed; pipe the frames to it")
    settings.check()
    count, said = 0, set[str]()
    for data, notes in restore_frames(sys.stdin.buffer, frames, settings):
        console.data(data)
        count += 1
        kinds = {re.sub(r"[0-9][0-9.,]*", "#", note): note for note in notes}
        for kind in kinds.keys() - said:  # once, for a video has very many frames
            console.note(f"frame {count}: {kinds[kind]}")
        said |= kinds.keys()
    console.note(f"{count} frames")
    return 0
