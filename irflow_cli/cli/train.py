"""`irflow train`: a folder of clean pictures in, a checkpoint out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import Device, Precision, Quiet, Seed, among
from irflow_cli.tasks import TASKS
from irflow_cli.training.options import TrainRequest

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10

DEFAULTS = TrainRequest(Path(), Path(), "derain")


def train(
    data: Annotated[Path, typer.Argument(help="Folder of clean pictures, or of clean/ and degraded/.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.", show_default=False)],
    task: Annotated[
        str,
        typer.Option(
            help="derain, denoise, deraindrop, prior or all-in-one.",
            show_default=False,
            autocompletion=among(*TASKS),
        ),
    ],
    minutes: Annotated[Optional[float], typer.Option(help="Time limit.", show_default=False)] = None,
    iterations: Annotated[Optional[int], typer.Option(help="Limit of iterations.", show_default=False)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --output.")] = DEFAULTS.resume,
    init: Annotated[Optional[str], typer.Option(help="Checkpoint to start from.", show_default="fresh weights")] = None,
    size: Annotated[Optional[str], typer.Option(help="base or small.", show_default="that of --init, else base")] = None,
    rain_layers: Annotated[Optional[Path], typer.Option(help="Folder of rain layers.", show_default="synthetic")] = None,
    batch: Annotated[int, typer.Option(help="Crops an iteration.")] = DEFAULTS.batch,
    crop: Annotated[int, typer.Option(help="Pixels of a crop's side.")] = DEFAULTS.crop,
    rate: Annotated[float, typer.Option(help="Learning rate of AdamW; Muon takes three times it.")] = DEFAULTS.rate,
    warmup: Annotated[int, typer.Option(help="Iterations in which the rate rises.")] = DEFAULTS.warmup,
    decay: Annotated[float, typer.Option(help="Last share of the run in which the rate falls to 0; 0 never.")] = DEFAULTS.decay,
    distance: Annotated[str, typer.Option(help="charbonnier, mse or log-mse.")] = DEFAULTS.distance,
    optimiser: Annotated[str, typer.Option(help="muon or adamw.")] = DEFAULTS.optimiser,
    consistency: Annotated[
        float, typer.Option(help="Weight of the multi-step consistency; 0 is without.")
    ] = DEFAULTS.consistency,
    self_conditioned: Annotated[
        bool, typer.Option("--self-conditioned", help="Later levels on the network's own trajectory.")
    ] = DEFAULTS.self_conditioned,
    condition: Annotated[
        bool, typer.Option("--condition", help="The degraded picture as a second input.")
    ] = DEFAULTS.condition,
    validate_every: Annotated[int, typer.Option(help="Iterations between validations.")] = DEFAULTS.validate_every,
    device: Device = DEFAULTS.device,
    precision: Precision = DEFAULTS.precision,
    compile_net: Annotated[bool, typer.Option("--compile", help="Compile the network with torch.compile.")] = DEFAULTS.compile,
    seed: Seed = DEFAULTS.seed,
    quiet: Quiet = False,
) -> int:
    """Train a network for a task.

    One picture in twenty is kept for validation. The run's folder holds best.safetensors (the averaged weights, for
    --checkpoint), state.safetensors (for --resume) and log.jsonl. Ctrl-C saves and ends.

    torchrun starts several processes that train together, each with --batch crops an iteration.

    `--task prior` trains what inpaint and upscale need, on photographs of any kind; it wants scipy (irflow[train]).

    Example: irflow train photos/ -o runs/derain --task derain --minutes 60
    """
    from irflow_cli.training.distributed import is_first
    from irflow_cli.training.loop import TrainProgress
    from irflow_cli.training.loop import train as run

    request = TrainRequest(
        data=data,
        out=output,
        task=task,
        size=size,
        init=init,
        rain_layers=rain_layers,
        minutes=minutes,
        iterations=iterations,
        batch=batch,
        crop=crop,
        rate=rate,
        warmup=warmup,
        decay=decay,
        distance=distance,
        optimiser=optimiser,
        consistency=consistency,
        self_conditioned=self_conditioned,
        condition=condition,
        validate_every=validate_every,
        seed=seed,
        device=device,
        precision=precision,
        compile=compile_net,
        resume=resume,
    )
    console = Console(quiet=quiet)
    with console.progress("training", 1) as show:

        def report(standing: TrainProgress) -> None:
            score = "" if standing.psnr is None else f"  PSNR {standing.psnr:.2f} dB"
            line = f"{standing.iteration}  loss {standing.loss:.4f}  {standing.rate:.1f} pictures/s{score}"
            show(standing.progress, line)
            if standing.psnr is not None:
                console.note(f"{line}  {standing.eta / 60:.0f} min left")

        result = run(request, report)
    if is_first():
        console.note(f"best validation PSNR {result.psnr:.2f} dB after {result.iterations} iterations")
        console.result(str(result.checkpoint))
    return 128 + result.interrupted if result.interrupted else 0
