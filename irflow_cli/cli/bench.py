"""`irflow bench`: figures of a task's checkpoint over a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson, Device, Precision, Quiet
from irflow_cli.errors import UsageError

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10


def bench(
    data: Annotated[Path, typer.Argument(help="Folder of clean/ and degraded/, or of clean pictures.", show_default=False)],
    task: Annotated[str, typer.Option(help="derain, denoise or deraindrop.", show_default=False)],
    steps: Annotated[str, typer.Option(help="Numbers of steps, such as 1,2,4.")] = "1",
    degrade: Annotated[
        Optional[str],
        typer.Option(help="KIND:SEVERITY to make from clean pictures, such as noise:25.", show_default=False),
    ] = None,
    checkpoint: Annotated[Optional[str], typer.Option(help="A file or a name.", show_default="shipped")] = None,
    sigma: Annotated[Optional[float], typer.Option(help="Noise told to denoise.", show_default="estimated")] = None,
    sampler: Annotated[Optional[str], typer.Option(help="euler or heun.", show_default="euler")] = None,
    grid: Annotated[Optional[str], typer.Option(help="released or uniform.", show_default="released")] = None,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Mean over 8 mirrorings and turns.")] = False,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Measure PSNR, SSIM, MS-SSIM, VIF and speed of restored pictures against their clean originals.

    Prints a Markdown table of means; with --json a line a picture. Outputs are rounded to 8 bits, nothing is cropped.

    Example: irflow bench photos/ --task denoise --degrade noise:25 --steps 1,2,4
    """
    from irflow_cli.services.bench import BenchRequest, averages
    from irflow_cli.services.bench import bench as run
    from irflow_cli.services.restore import RestoreSettings

    try:
        counts = tuple(int(part) for part in steps.split(","))
    except ValueError:
        raise UsageError(f"--steps is a list of numbers such as 1,2,4; got {steps!r}") from None
    settings = RestoreSettings(
        task=task,
        steps=min(counts),
        checkpoint=checkpoint,
        sigma=sigma,
        sampler=sampler,
        grid=grid,
        ensemble=ensemble,
        device=device,
        precision=precision,
    )
    console, rows = Console(quiet=quiet, as_json=as_json), []
    for row in run(BenchRequest(data, settings, counts, degrade)):
        rows.append(row)
        if as_json:
            console.result("", picture=row.picture, method=row.method, steps=row.steps, **vars(row.scores))
    if as_json:
        return 0
    pictures = len({row.picture for row in rows})
    console.result(f"| {data.name}, {pictures} pictures | PSNR | SSIM | PSNR-Y | SSIM-Y | MS-SSIM | VIF | s/MP |")
    console.result("|---|---|---|---|---|---|---|---|")
    for (method, count), mean in averages(rows).items():
        label = method if method == "input" else f"{task}, {count} step{'s' if count > 1 else ''}"
        figures = (
            f"{mean.psnr:.2f} | {mean.ssim:.4f} | {mean.psnr_y:.2f} | {mean.ssim_y:.4f} "
            f"| {mean.ms_ssim:.4f} | {mean.vif:.4f} | {mean.seconds_per_mp:.2f}"
        )
        console.result(f"| {label} | {figures.replace('nan', '-')} |")
    return 0
