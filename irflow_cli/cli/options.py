"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from irflow_cli.errors import UsageError

Inputs = Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False)]
Output = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads this at run time on Python 3.10
    typer.Option("--output", "-o", help="File or folder for the results.", show_default="beside the input"),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print results as JSON Lines.")]


def parse_tile(text: str) -> int | None:
    """Return None for `auto`, else the number; raises UsageError."""
    if text == "auto":
        return None
    if not text.isdecimal():
        raise UsageError(f"--tile is auto, 0 for the whole picture at once, or a number of pixels; got {text!r}")
    return int(text)
