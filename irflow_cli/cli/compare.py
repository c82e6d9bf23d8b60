"""`irflow compare`: two pictures in, one file out that shows what is different."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson, MaxPixels, Overwrite, Quiet, Range
from irflow_cli.tasks import MAX_PIXELS


def compare(
    before: Annotated[Path, typer.Argument(help="A picture.", show_default=False)],
    after: Annotated[Path, typer.Argument(help="What became of it.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help=".html: a slider; .png, .jpg, .webp: side by side; .gif: in turn.")
    ] = Path("compare.html"),
    overwrite: Overwrite = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    range: Range = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Show two pictures in one file: a page with a slider, side by side, or in turn.

    The page holds both pictures and needs nothing else, neither a server nor a network.

    Example: irflow compare rainy.jpg rainy.derain.jpg -o rainy.html
    """
    from irflow_cli.images.span import parse_range
    from irflow_cli.services.compare import compare_files

    console = Console(quiet=quiet, as_json=as_json)
    notes = compare_files(before, after, output, overwrite=overwrite, max_pixels=max_pixels, span=parse_range(range))
    for note in notes:
        console.note(note)
    console.result(str(output), before=before, after=after, output=output, notes=notes)
    return 0
