"""`irflow upscale`: small pictures in, large pictures out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson, Compare, Inputs, Output, Quiet, Suffix, Verbose, choice, with_files, with_sampler
from irflow_cli.cli.outcomes import carry_out
from irflow_cli.engines.settings import ENLARGING, OPERATOR, SCALE


@with_files
@with_sampler(
    ENLARGING,
    "for area, auto is one call of the network, smooth 4 with the least error, texture 2 with more texture and "
    "less PSNR, paper Restora-Flow's own 381.",
)
def upscale(
    inputs: Inputs,
    output: Output = None,
    scale: Annotated[int, typer.Option(help="2, 3 or 4 times as high and wide.")] = SCALE,
    operator: Annotated[
        str,
        choice("area", "grid", help="How the input was made smaller: averaged, as usual, or every n-th pixel."),
    ] = OPERATOR,
    suffix: Suffix = None,
    compare: Compare = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    *,
    sampling: Callable[..., Any],
    files: Callable[..., Any],
) -> int:
    """Enlarge photographs, with detail that their pixels allow.

    Made smaller again, the result is the input, to within one of 255 grey levels (in lossless formats).

    Example: irflow upscale small.png --scale 2
    """
    from irflow_cli.services.upscale_files import UpscaleRequest, upscale_files

    request = UpscaleRequest(files(inputs, output, suffix, f".x{scale}"), scale, operator, sampling())
    console = Console(quiet=quiet, verbose=verbose, as_json=as_json)
    return carry_out(console, request, upscale_files, compare=compare)
