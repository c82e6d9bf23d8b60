"""`irflow restore`: degraded pictures in, clean pictures out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Optional

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import (
    GRIDS,
    SAMPLERS,
    AsJson,
    Compare,
    Device,
    Engine,
    EnginePrecision,
    Inputs,
    Output,
    Quiet,
    Suffix,
    Verbose,
    checkpoints,
    choice,
    parse_tile,
    with_files,
)
from irflow_cli.cli.outcomes import carry_out
from irflow_cli.cli.raw import check_typed, pipe
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import require
from irflow_cli.tasks import RESTORED

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10

DEFAULTS = RestoreSettings("derain")


@with_files
def restore(
    context: typer.Context,
    inputs: Inputs,
    task: Annotated[
        Optional[str],
        choice(*RESTORED, help="What to take out.", show_default="that of --checkpoint"),
    ] = None,
    output: Output = None,
    steps: Annotated[
        Optional[int],
        typer.Option(help="Sampling steps; more than 2 rarely help.", show_default="1 for noise, 2 for rain and drops"),
    ] = None,
    grid: Annotated[
        Optional[str],
        choice(*GRIDS, help="Times of the steps.", show_default="released"),
    ] = None,
    sampler: Annotated[
        Optional[str],
        choice(*SAMPLERS, help="restora-denoise goes with --method prior.", show_default="euler"),
    ] = None,
    sigma: Annotated[
        Optional[float],
        typer.Option(help="About how much noise there is, 0-255 scale (denoise).", show_default="estimated"),
    ] = None,
    method: Annotated[
        str,
        choice("flow", "prior", help="prior denoises by the prior of inpaint and upscale."),
    ] = DEFAULTS.method,
    strength: Annotated[
        float,
        typer.Option(
            help="0 leaves the picture alone, 1 restores it wholly, 2 takes out twice what was found, often too much."
        ),
    ] = DEFAULTS.strength,
    texture: Annotated[
        bool, typer.Option("--texture", help="More texture for a little less PSNR, in eight steps (denoise).")
    ] = DEFAULTS.texture,
    ensemble: Annotated[
        Optional[bool],
        typer.Option(
            "--ensemble/--no-ensemble",
            help="Mean over 8 mirrorings and turns, 8 times slower, or none.",
            show_default="2 of them for strong white noise",
        ),
    ] = DEFAULTS.ensemble,
    checkpoint: Annotated[
        Optional[str],
        typer.Option(help="A .safetensors file or a name.", show_default="shipped", autocompletion=checkpoints),
    ] = None,
    suffix: Suffix = None,
    tile: Annotated[str, typer.Option(help="auto, pixels, or 0 for the whole picture at once.")] = "auto",
    overlap: Annotated[int, typer.Option(help="Pixels that neighbouring tiles share.")] = DEFAULTS.overlap,
    batch: Annotated[
        Optional[int], typer.Option(help="Pictures of one size that share a call.", show_default="1 on a CPU, else what fits")
    ] = None,
    device: Device = DEFAULTS.device,
    engine: Engine = DEFAULTS.engine,
    precision: EnginePrecision = DEFAULTS.precision,
    seed: Annotated[int, typer.Option(help="Seed; used only for grey pictures with --method prior.")] = DEFAULTS.seed,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on for ever: restore what comes into the folders. Ctrl-C ends it.")
    ] = False,
    runner: Annotated[
        str,
        choice("local", "ray", help="Who works: this process, or the workers of a Ray cluster."),
    ] = "local",
    raw: Annotated[
        Optional[str],
        typer.Option(help="WIDTHxHEIGHT of rgb24 video frames on - (standard input) and standard output.", show_default=False),
    ] = None,
    compare: Compare = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    *,
    files: Callable[..., Any],
) -> int:
    """Take rain, noise or raindrops out of photographs.

    Results lie beside the inputs unless --output says otherwise. A file is replaced only with --overwrite; --resume
    replaces its own results whose picture or settings have changed.

    A network of your own does what it was trained for: --checkpoint mine.safetensors, without --task.

    Example: irflow restore rainy.jpg --task derain
    """
    from irflow_cli.services.restore_files import RestoreRequest, restore_files, task_of_checkpoint
    from irflow_cli.services.restore_on_ray import restore_on_ray
    from irflow_cli.services.watch import watch_files

    runners = {"local": restore_files, "ray": restore_on_ray}

    if raw is not None:
        check_typed(context)
    task = task or task_of_checkpoint(checkpoint)
    settings = RestoreSettings(
        task=task,
        steps=steps,
        grid=grid,
        sampler=sampler,
        sigma=sigma,
        method=method,
        strength=strength,
        texture=texture,
        ensemble=ensemble,
        tile=parse_tile(tile),
        overlap=overlap,
        batch=batch,
        device=device,
        engine=engine,
        precision=precision,
        seed=seed,
        checkpoint=checkpoint,
    )
    console = Console(quiet=quiet, verbose=verbose, as_json=as_json)
    if raw is not None:
        return pipe(console, raw, inputs, output, settings, context.params["max_pixels"])
    request = RestoreRequest(files(inputs, output, suffix, f".{task}"), settings)
    require(runner in runners, f"`runner` is one of {', '.join(runners)}, got {runner!r}")
    require(runner == "local" or not watch, "`watch` is for `runner` local; leave one of them out")
    perform = watch_files if watch else runners[runner]
    return carry_out(console, request, perform, compare=compare, endless=watch)
