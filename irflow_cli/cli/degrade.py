"""`irflow degrade`: clean pictures in, degraded pictures out, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Optional

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson, Inputs, Output, Quiet, Seed, Suffix, Verbose, choice, either, with_files
from irflow_cli.cli.outcomes import carry_out

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10

KINDS = (
    *("noise", "poisson", "camera", "photo", "film-grain"),
    *("rain", "rain-heavy", "rain-soft", "rain-veil", "raindrops", "jpeg"),
)


@with_files
def degrade(
    inputs: Inputs,
    kind: Annotated[
        str,
        choice(*KINDS, help=f"{either(*KINDS)}.", show_default=False),
    ],
    severity: Annotated[
        Optional[float], typer.Option(help="How strongly; 0 changes nothing.", show_default="the kind's usual one")
    ] = None,
    seed: Seed = 0,
    output: Output = None,
    suffix: Suffix = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    *,
    files: Callable[..., Any],
) -> int:
    """Add noise, rain, raindrops or JPEG artefacts to clean photographs.

    Severity of noise, poisson, camera, photo and film-grain: standard deviation, 0 to 75. Of rain (thin streaks), rain-heavy
    (overlapping), rain-soft (fine, out of focus or like snow), rain-veil (with mist) and raindrops: 0 to 1. Of jpeg: 100
    minus the quality, so 30 is quality 70.

    Example: irflow degrade clean.png -o noisy.png --kind noise --severity 25 --seed 1
    """
    from irflow_cli.services.degrade_files import DegradeRequest, degrade_files

    request = DegradeRequest(files(inputs, output, suffix, f".{kind}"), kind, severity, seed)
    console = Console(quiet=quiet, verbose=verbose, as_json=as_json)
    return carry_out(console, request, degrade_files)
