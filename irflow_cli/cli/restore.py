"""`irflow restore`: degraded pictures in, clean pictures out."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson, Device, Inputs, Output, Overwrite, Precision, Quiet, Seed, parse_tile
from irflow_cli.cli.outcomes import report_outcomes

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10


def restore(
    inputs: Inputs,
    task: Annotated[str, typer.Option(help="derain, denoise or deraindrop.", show_default=False)],
    output: Output = None,
    steps: Annotated[Optional[int], typer.Option(help="Steps of the walk, 1 to 5 and more.", show_default="the task's")] = None,
    grid: Annotated[Optional[str], typer.Option(help="released or uniform.", show_default="released")] = None,
    sampler: Annotated[Optional[str], typer.Option(help="euler or heun.", show_default="euler")] = None,
    sigma: Annotated[
        Optional[float], typer.Option(help="Noise of the picture, 0-255 scale (denoise).", show_default="estimated")
    ] = None,
    strength: Annotated[float, typer.Option(help="0 leaves the picture alone, 1 restores it wholly.")] = 1.0,
    source_noise: Annotated[float, typer.Option(help="Noise added before the walk, 0-255 scale, from --seed.")] = 0.0,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Mean over 8 mirrorings and turns; 8 times slower.")] = False,
    checkpoint: Annotated[Optional[str], typer.Option(help="A .safetensors file or a name.", show_default="shipped")] = None,
    suffix: Annotated[Optional[str], typer.Option(help="Added to the name.", show_default=".TASK")] = None,
    overwrite: Overwrite = False,
    tile: Annotated[str, typer.Option(help="auto, pixels, or 0 for the whole picture at once.")] = "auto",
    overlap: Annotated[int, typer.Option(help="Pixels that neighbouring tiles share.")] = 32,
    device: Device = "auto",
    precision: Precision = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Take rain, noise or raindrops out of photographs.

    Results lie beside the inputs unless --output says otherwise; a file that exists is never replaced without --overwrite.

    Example: irflow restore rainy.jpg --task derain --steps 4
    """
    from irflow_cli.services.restore import RestoreRequest, RestoreSettings, restore_files

    settings = RestoreSettings(
        task=task,
        steps=steps,
        grid=grid,
        sampler=sampler,
        sigma=sigma,
        strength=strength,
        source_noise=source_noise,
        ensemble=ensemble,
        tile=parse_tile(tile),
        overlap=overlap,
        device=device,
        precision=precision,
        seed=seed,
        checkpoint=checkpoint,
    )
    request = RestoreRequest(tuple(inputs), settings, output, suffix, overwrite)
    jobs = request.plan()
    return report_outcomes(Console(quiet=quiet, as_json=as_json), len(jobs), lambda show: restore_files(request, show))
