"""`irflow upscale`: small pictures in, large pictures out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import (
    AsJson,
    Corrections,
    Device,
    DryRun,
    GuidedSampler,
    Inputs,
    Output,
    Precision,
    Preset,
    PriorCheckpoint,
    Quiet,
    Seed,
    Start,
    Steps,
    Suffix,
    Verbose,
    with_files,
)
from irflow_cli.cli.outcomes import carry_out


@with_files
def upscale(
    inputs: Inputs,
    output: Output = None,
    scale: Annotated[int, typer.Option(help="2, 3 or 4 times as high and wide.")] = 2,
    operator: Annotated[
        str, typer.Option(help="How the input was made smaller: area (means, as files are) or grid (every n-th pixel).")
    ] = "area",
    preset: Preset = "default",
    sampler: GuidedSampler = None,
    steps: Steps = None,
    corrections: Corrections = None,
    start: Start = None,
    checkpoint: PriorCheckpoint = None,
    suffix: Suffix = None,
    device: Device = "auto",
    precision: Precision = "auto",
    seed: Seed = 0,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    *,
    files: Callable[..., Any],
) -> int:
    """Enlarge photographs, with detail that their pixels allow.

    Made smaller again, the result is the input, to within one of 255 grey levels (in lossless formats).

    Example: irflow upscale small.png --scale 2
    """
    from irflow_cli.services.prior import WalkSettings
    from irflow_cli.services.upscale import UpscaleRequest, upscale_files

    walk = WalkSettings(preset, sampler, steps, corrections, start, device, precision, seed, checkpoint)
    request = UpscaleRequest(files(inputs, output, f".x{scale}" if suffix is None else suffix), scale, operator, walk)
    console = Console(quiet=quiet, verbose=verbose, as_json=as_json)
    return carry_out(console, request, upscale_files, dry_run=dry_run)
