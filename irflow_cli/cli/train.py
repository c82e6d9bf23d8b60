"""`irflow train`: a folder of clean pictures in, a checkpoint out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import Device, Quiet, Seed, TrainingPrecision, checkpoints, choice, typed
from irflow_cli.errors import require
from irflow_cli.tasks import TASKS
from irflow_cli.training.options import TrainRequest, options_of_run, recipe_of, request_of, unlike

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10

DEFAULTS = TrainRequest(Path(), Path(), "derain")


def train(
    context: typer.Context,
    data: Annotated[
        Optional[Path], typer.Argument(help="Folder of clean pictures, or of clean/ and degraded/.", show_default=False)
    ] = None,
    output: Annotated[Optional[Path], typer.Option("--output", "-o", help="Folder of the run.", show_default=False)] = None,
    task: Annotated[
        Optional[str],
        choice(*TASKS, help=f"{', '.join(TASKS)}; any name for pairs of your own.", show_default=False),
    ] = None,
    recipe: Annotated[
        Optional[str],
        typer.Option(help="Checkpoint whose network and options are taken.", show_default=False, autocompletion=checkpoints),
    ] = None,
    minutes: Annotated[Optional[float], typer.Option(help="Time limit.", show_default=False)] = None,
    iterations: Annotated[Optional[int], typer.Option(help="Limit of iterations.", show_default=False)] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --output, by its own options.")
    ] = DEFAULTS.resume,
    init: Annotated[
        Optional[str],
        typer.Option(help="Checkpoint to start from.", show_default="fresh weights", autocompletion=checkpoints),
    ] = None,
    size: Annotated[
        Optional[str], choice("small", "base", "large", help="Of the network.", show_default="that of --init, else base")
    ] = None,
    rain_layers: Annotated[
        Optional[Path], typer.Option(help="Of derain and all-in-one: folder of rain layers.", show_default="synthetic")
    ] = None,
    batch: Annotated[int, typer.Option(help="Crops at a time.")] = DEFAULTS.batch,
    accumulate: Annotated[int, typer.Option(help="Batches an iteration, whose gradients are averaged.")] = DEFAULTS.accumulate,
    prefetch: Annotated[int, typer.Option(help="Iterations drawn at once; 4 keep a GPU busy.")] = DEFAULTS.prefetch,
    crop: Annotated[int, typer.Option(help="Pixels of a crop's side.")] = DEFAULTS.crop,
    rate: Annotated[float, typer.Option(help="Learning rate of AdamW; Muon takes three times it.")] = DEFAULTS.rate,
    warmup: Annotated[int, typer.Option(help="Iterations in which the rate rises.")] = DEFAULTS.warmup,
    decay: Annotated[float, typer.Option(help="Last share of the run in which the rate falls to 0; 0 never.")] = DEFAULTS.decay,
    distance: Annotated[
        str, choice("charbonnier", "mse", "log-mse", help="Between residuals, which is made small.")
    ] = DEFAULTS.distance,
    optimiser: Annotated[str, choice("muon", "adamw", help="What moves the weights.")] = DEFAULTS.optimiser,
    at_start: Annotated[
        float, typer.Option(help="Share of a batch at the start of the path; the rest is uniform in time.")
    ] = DEFAULTS.at_start,
    consistency: Annotated[
        float, typer.Option(help="Weight of the multi-step consistency; 0 is without.")
    ] = DEFAULTS.consistency,
    consistency_every: Annotated[
        int, typer.Option(help="Iterations from one consistency term to the next.")
    ] = DEFAULTS.consistency_every,
    self_conditioned: Annotated[
        bool, typer.Option("--self-conditioned", help="Later levels on the network's own trajectory.")
    ] = DEFAULTS.self_conditioned,
    condition: Annotated[
        bool, typer.Option("--condition", help="The degraded picture as a second input.")
    ] = DEFAULTS.condition,
    known: Annotated[
        float, typer.Option(help="Prior: share of pictures of which a part is known; 0 is the papers' prior.")
    ] = DEFAULTS.known,
    guessed: Annotated[
        float, typer.Option(help="Prior: share of those that begin in what is found at half the size.")
    ] = DEFAULTS.guessed,
    validate_every: Annotated[int, typer.Option(help="Iterations between validations.")] = DEFAULTS.validate_every,
    save_minutes: Annotated[float, typer.Option(help="Minutes from one saved state to the next.")] = DEFAULTS.save_minutes,
    device: Device = DEFAULTS.device,
    precision: TrainingPrecision = DEFAULTS.precision,
    compile_net: Annotated[bool, typer.Option("--compile", help="Compile the network with torch.compile.")] = DEFAULTS.compile,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log to RUN/tensorboard (irflow[tensorboard]).")
    ] = DEFAULTS.tensorboard,
    plot: Annotated[
        Optional[Path], typer.Option(help="Draw the curves of a run to RUN/curves.png, and do no more.", show_default=False)
    ] = None,
    seed: Seed = DEFAULTS.seed,
    quiet: Quiet = False,
) -> int:
    """Train a network for a task.

    One picture in twenty is kept for validation. The run's folder holds best.safetensors and last.safetensors (the averaged
    weights, for --checkpoint), state.safetensors (for --resume) and log.jsonl. Ctrl-C saves and ends.

    torchrun starts several processes that train together, each with --batch crops an iteration.

    --at-start 0 --consistency-every 1 --distance mse is the setting of IR-Flow's paper.

    Example: irflow train photos/ -o runs/derain --task derain --minutes 60
    """
    from irflow_cli.training.distributed import is_first
    from irflow_cli.training.loop import train as run
    from irflow_cli.training.record import TrainProgress

    console = Console(quiet=quiet)
    if plot is not None:
        from irflow_cli.training.curves import draw_curves

        spare = next((name for name in context.params if name in typed(context) - {"plot", "quiet"}), None)
        require(spare is None, f"`{spare}` has no meaning with `plot`; leave it out")
        console.result(str(draw_curves(plot)))
        return 0
    values = {FIELDS.get(name, name): value for name, value in context.params.items() if name not in NOT_FIELDS}
    given = {FIELDS.get(name, name) for name in typed(context, "COMMANDLINE", "ENVIRONMENT")}  # not in a file of defaults
    card = None if recipe is None else recipe_of(recipe)
    request = request_of(values, given, *options_of_run(output if resume else None, card))
    for line in [] if card is None else unlike(card, request):
        console.note(f"{recipe}: {line}")
    with console.progress("training", 1) as show:

        def report(standing: TrainProgress) -> None:
            score = "" if standing.psnr is None else f"  PSNR {standing.psnr:.2f} dB"
            line = f"{standing.iteration}  loss {standing.loss:.4f}  {standing.rate:.1f} pictures/s{score}"
            show(standing.progress, line)
            if standing.psnr is not None:
                console.note(f"{line}  {standing.eta / 60:.0f} min left")

        result = run(request, report, console.note)
    if is_first():
        console.note(f"best validation PSNR {result.psnr:.2f} dB after {result.iterations} iterations")
        console.result(str(result.checkpoint))
    return 128 + result.interrupted if result.interrupted else 0


FIELDS = {"output": "out", "compile_net": "compile"}  # options whose names differ from the fields of a request
NOT_FIELDS = ("recipe", "plot", "quiet")
