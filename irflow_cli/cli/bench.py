"""`irflow bench`: quality, speed and memory of a task's checkpoint and its baselines over a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional, TypeVar

import typer

from irflow_cli.bench.request import BenchRequest, Sweep
from irflow_cli.cli.console import Console
from irflow_cli.cli.options import (
    GRIDS,
    SAMPLERS,
    AsJson,
    Device,
    Engine,
    EnginePrecision,
    Quiet,
    checkpoints,
    choice,
    either,
    typed,
)
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import UsageError, require
from irflow_cli.tasks import RESTORED

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10

Value = TypeVar("Value")
DEFAULTS = BenchRequest(Path(), RestoreSettings("derain"))
SWEEP = DEFAULTS.sweep
MEASURED = (*RESTORED, "inpaint", "upscale")


def _text(values: tuple[object, ...]) -> str:
    """Return values as they are typed: with commas, numbers as short as they are."""
    return ",".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


# Options of the modes in which nothing is restored and measured as usual; others would do nothing there.
ANSWER = {"quiet", "as_json"}
MODES = {
    "compare": ANSWER,
    "speed": ANSWER | {"task", "steps", "checkpoint", "sigma", "device", "engine", "precision"},
}


def _check_mode(context: typer.Context) -> None:
    """Raise UsageError for an option that would do nothing beside --compare or --speed."""
    given = typed(context)
    unused = {"steps", "sigma"} if context.params["task"] in ("inpaint", "upscale") else set()  # of restore alone
    for mode, known in MODES.items():
        spare = sorted(given - (known - unused) - {mode}) if mode in given else []
        if spare:
            named = "DATA" if spare[0] == "data" else f"--{spare[0].replace('_', '-')}"
            raise UsageError(f"{named} has no meaning with --{mode}; leave it out")


def bench(
    context: typer.Context,
    data: Annotated[
        Optional[Path],
        typer.Argument(help="Folder of pairs (clean/ and degraded/, or as a public set has them), or of clean pictures."),
    ] = None,
    task: Annotated[
        Optional[str],
        choice(*MEASURED, help=f"What to measure: {either(*MEASURED)}.", show_default="that of --checkpoint"),
    ] = None,
    steps: Annotated[str, typer.Option(help="Numbers of steps, such as 1,2,4.")] = _text(SWEEP.steps),
    degrade: Annotated[
        Optional[str],
        typer.Option(
            help="KIND:SEVERITY to make from clean pictures, such as noise:25, or several with commas; + for one after another "
            "(noise:25+jpeg:30); `unseen` for those that no checkpoint is trained on; for inpaint thin, thick, box, "
            "pixels:0.8, ..., also after noise (noise:15+thick); for upscale area:2, grid:2.",
            show_default=False,
        ),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(help="irflow, irflow-prior (denoise) and baselines such as opencv-nlm, telea; `all` for those installed."),
    ] = _text(DEFAULTS.methods),
    baseline: Annotated[
        Optional[list[Path]],
        typer.Option(help="A network to measure too: an irflow checkpoint, or what spandrel loads.", show_default=False),
    ] = None,
    baseline_command: Annotated[
        Optional[list[str]], typer.Option(help="A command to measure too: 'tool {in} {out}'.", show_default=False)
    ] = None,
    checkpoint: Annotated[
        Optional[str], typer.Option(help="A file or a name.", show_default="shipped", autocompletion=checkpoints)
    ] = None,
    sigma: Annotated[Optional[float], typer.Option(help="Noise given to all methods.", show_default="estimated")] = None,
    sampler: Annotated[
        Optional[str],
        choice(*SAMPLERS, help="One, or several with commas; restora-denoise is of irflow-prior.", show_default="euler"),
    ] = None,
    grid: Annotated[
        Optional[str],
        choice(*GRIDS, ",".join(GRIDS), help="Times of the steps, or both.", show_default="released"),
    ] = None,
    strength: Annotated[str, typer.Option(help="Shares of the result in the mixture with the input, such as 0.5,1.")] = _text(
        SWEEP.strengths
    ),
    ensemble: Annotated[
        Optional[bool],
        typer.Option(
            "--ensemble/--no-ensemble",
            help="Mean over 8 mirrorings and turns, or none.",
            show_default="2 of them for strong white noise",
        ),
    ] = DEFAULTS.settings.ensemble,
    masks: Annotated[
        Optional[Path], typer.Option(help="Folder of masks, white where missing, each for every picture.", show_default=False)
    ] = None,
    crop: Annotated[
        Optional[int], typer.Option(help="Take the middle CROP x CROP pixels of clean pictures.", show_default="whole")
    ] = None,
    presets: Annotated[
        str,
        typer.Option(help="Presets, such as auto,smooth,texture,paper; of inpaint fast,varied, too; or such as restora:64:1."),
    ] = _text(DEFAULTS.presets),
    metrics: Annotated[
        Optional[str],
        typer.Option(help="Metrics to measure, such as psnr,st_lpips.", show_default="all that can be had here"),
    ] = None,
    border: Annotated[int, typer.Option(help="Pixels cut from each side before measuring.")] = DEFAULTS.border,
    report: Annotated[
        Optional[Path],
        typer.Option(help="Folder for results.jsonl, report.html and table.md, of its own; an interrupted run goes on there."),
    ] = None,
    speed: Annotated[
        Optional[str],
        typer.Option(help="Instead, without DATA: speed and memory over sizes in MP, such as 0.25,1,4,12,48.", metavar="SIZES"),
    ] = None,
    compare: Annotated[
        Optional[tuple[Path, Path]],
        typer.Option(
            help="What got better or worse from OLD to NEW results (.jsonl); exit 1 if quality did, or too few pictures tell.",
            metavar="OLD NEW",
        ),
    ] = None,
    device: Device = DEFAULTS.settings.device,
    engine: Engine = DEFAULTS.settings.engine,
    precision: EnginePrecision = DEFAULTS.settings.precision,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Measure restored pictures against their clean originals, beside the baselines, on the same inputs.

    Prints a Markdown table of means; with --json a line a picture. PSNR, SSIM and MS-SSIM are ours; VIF, SSIMULACRA2 and FLIP
    come with irflow[metrics]. ST-LPIPS, LPIPS, DISTS, FID and KID need more; name one in --metrics to hear what. Outputs are
    rounded to 8 bits; nothing is resized.

    Example: irflow bench photos/ --task denoise --degrade noise:25 --steps 1,2,4
    """
    console = Console(quiet=quiet, as_json=as_json)
    _check_mode(context)
    if compare is not None:
        return _compare(console, *compare)
    if task is None and checkpoint is not None:
        from irflow_cli.services.restore_files import task_of_checkpoint

        task = task_of_checkpoint(checkpoint)
    if task is None and speed is None:
        raise UsageError(f"--task is missing: {either(*MEASURED)}")

    sweep = Sweep(
        steps=_list(steps, "--steps", int),
        grids=_list(grid, "--grid", str) if grid else (None,),
        strengths=_list(strength, "--strength", float),
        samplers=_list(sampler, "--sampler", str) if sampler else (None,),
    )
    settings = RestoreSettings(
        task=task or "derain",
        steps=min(sweep.steps),
        checkpoint=checkpoint,
        sigma=sigma,
        ensemble=ensemble,
        device=device,
        engine=engine,
        precision=precision,
    )
    if speed is not None:
        several = "steps" in typed(context)
        require(not several or len(sweep.steps) == 1, "`steps` is one number beside `speed`; the task's own without it")
        return _speed(console, settings if several else replace(settings, steps=None), speed)
    if data is None:
        raise UsageError("DATA is missing: a folder of pairs, or of clean pictures with --degrade")
    names = _list(methods, "--methods", str)
    baselines, commands = tuple(baseline or ()), tuple(baseline_command or ())
    store = report / "results.jsonl" if report else None
    chosen, measured = _list(presets, "--presets", str), _list(metrics, "--metrics", str) if metrics else ()
    return _bench(
        console,
        BenchRequest(
            data, settings, sweep, degrade, names, baselines, commands, border, store, report, masks, crop, chosen, measured
        ),
    )


def _list(text: str, option: str, kind: Callable[[str], Value]) -> tuple[Value, ...]:
    try:
        return tuple(kind(part.strip()) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} is a list of numbers such as 1,2,4; got {text!r}") from None


def _bench(console: Console, request: BenchRequest) -> int:
    from irflow_cli.bench.records import fresh_store, gains, label_of, markdown, show, table
    from irflow_cli.bench.report import write_report
    from irflow_cli.bench.run import anew, prepare
    from irflow_cli.bench.run import bench as run_bench

    run, records, failed = prepare(request), [], 0
    if request.store is None:  # only now, for what is in its place is of the last run that made sense
        request = replace(request, store=fresh_store(request.data, request.settings.task))
        run = replace(run, request=request)
    for note in dict.fromkeys(note for method in run.methods for note in method.notes):
        console.note(note)
    changed = anew(request)
    if changed:
        console.note(f"{request.store} was made with other {' and '.join(changed)}; all is measured again")
    with console.progress("irflow bench", run.total) as progress:
        for record in run_bench(run, progress):
            records.append(record)
            for note in record.notes:
                console.note(f"{record.picture}: {note}")
            if record.error:
                failed += 1
                console.error(f"{record.method} on {record.picture}: {record.error}")
            if console.as_json:
                console.result("", **record.to_dict())
    if not console.as_json:
        for line in markdown(table(records, request.data.resolve().name)):
            console.result(line)
        if len({record.degrade for record in records}) > 1 or request.degrade == "unseen":
            for key, won in gains(records).items():
                console.note(f"{label_of(key, request.settings.task)}: {show(won.psnr, 2)} dB over the input")
    if request.folder is None:
        console.note(f"a line a picture: {request.store}; --report DIR keeps them and goes on where it broke off")
    else:
        page = write_report(run, records)
        console.note(f"report: {page}")
    if failed:
        console.error(f"{failed} of {len(records)} results failed")
    return 1 if failed else 0


def _compare(console: Console, old: Path, new: Path) -> int:
    from irflow_cli.bench.compare import FEWEST, RELATIVE, TOO_FEW, compare, lost
    from irflow_cli.bench.records import markdown, other_machine, read_environment

    changes, gone = compare(old, new), lost(old, new)
    for change in changes:
        if console.as_json:
            console.result("", **vars(change))
    if not console.as_json:
        cells = [["", "metric", "change", "interval", "pictures", ""], *[change.cells() for change in changes]]
        for line in markdown(cells):
            console.result(line)
    worse = sum(change.verdict == "worse" and change.metric not in RELATIVE for change in changes)
    for line in gone:
        console.error(line)
    if others := other_machine(read_environment(old), read_environment(new)):
        console.note(f"made with other {' and '.join(others)}; time and memory are not compared")
    few = sum(change.verdict == TOO_FEW for change in changes)
    if few:
        console.error(f"{few} of {len(changes)} changes are of fewer than {FEWEST} pictures, which tells nothing; measure more")
    if few < len(changes):
        console.note(f"intervals of all {len(changes)} changes hold together with 95 % confidence")
        others = " of those that could be told" if few else ""
        console.note(f"{worse} metrics of quality got worse" if worse else f"no metric of quality{others} got worse")
    return 1 if worse or gone or few == len(changes) else 0


def _speed(console: Console, settings: RestoreSettings, sizes: str) -> int:
    from irflow_cli.bench.records import markdown
    from irflow_cli.bench.speed import FACTS, measure_speed

    begun = False
    for fact in measure_speed(settings, _list(sizes, "--speed", float), console.note):
        lines = markdown([[FACTS, "median", "spread", ""], fact.cells()])
        for line in lines[-1:] if begun or console.as_json else lines:  # each as soon as it is known
            console.result(line, **vars(fact))
        begun = True
    return 0
