"""`irflow inpaint`: pictures with holes in, whole pictures out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson, Compare, Inputs, Output, Quiet, Suffix, Verbose, with_files, with_sampler
from irflow_cli.cli.outcomes import carry_out
from irflow_cli.engines.settings import FILLING

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10


@with_files
@with_sampler(
    FILLING,
    "auto copies wide parts of a hole, and thin ones in grain, from the rest of the picture and leaves the others and seams to "
    "the prior; smooth is the prior alone, four times, with the least error; varied is auto, another way for every seed; fast "
    "is one call of the network; texture draws, for less PSNR; paper is Restora-Flow's own, of 189 or 381 calls.",
)
def inpaint(
    inputs: Inputs,
    output: Output = None,
    mask: Annotated[
        Optional[Path],
        typer.Option(
            help="White where the picture is missing; a file for all, or a folder of equal names.", show_default=False
        ),
    ] = None,
    mask_box: Annotated[
        Optional[list[str]], typer.Option(help="x,y,width,height in pixels; more than one may be given.", show_default=False)
    ] = None,
    mask_color: Annotated[
        Optional[str],
        typer.Option(help="#rrggbb, #rgb or a name that marks in the picture what is missing.", show_default=False),
    ] = None,
    mask_tolerance: Annotated[
        Optional[int], typer.Option(help="How far from --mask-color still counts, of 255.", show_default="12")
    ] = None,
    mask_from_alpha: Annotated[bool, typer.Option("--mask-from-alpha", help="Fill what is transparent.")] = False,
    mask_invert: Annotated[bool, typer.Option("--mask-invert", help="Black is missing in mask files.")] = False,
    mask_threshold: Annotated[
        Optional[float], typer.Option(help="Grey from which on is missing, 0 to 1.", show_default="masks are black and white")
    ] = None,
    mask_resize: Annotated[bool, typer.Option("--mask-resize", help="Bring masks to the picture's size.")] = False,
    mask_dilate: Annotated[
        Optional[int],
        typer.Option(help="Pixels by which holes grow.", show_default="0, and the soft edges of --mask-color with it"),
    ] = None,
    mask_feather: Annotated[int, typer.Option(help="Pixels around holes, changed too, over which the filling fades out.")] = 0,
    samples: Annotated[int, typer.Option(help="Proposals of each picture, numbered; several come from --preset varied.")] = 1,
    suffix: Suffix = None,
    compare: Compare = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    *,
    sampling: Callable[..., Any],
    files: Callable[..., Any],
) -> int:
    """Fill what is missing of photographs: scratches, text, whole objects.

    All other pixels, but for those of --mask-feather, stay as they are, bit for bit in lossless formats. Only the surroundings
    of the holes are worked on.

    Example: irflow inpaint photo.png --mask scratches.png
    """
    from irflow_cli.services.inpaint_files import InpaintRequest, inpaint_files
    from irflow_cli.services.masks import MaskSettings

    masks = MaskSettings(
        mask=mask,
        box=tuple(mask_box or ()),
        color=mask_color,
        tolerance=mask_tolerance,
        from_alpha=mask_from_alpha,
        invert=mask_invert,
        threshold=mask_threshold,
        resize=mask_resize,
        dilate=mask_dilate,
        feather=mask_feather,
    )
    request = InpaintRequest(files(inputs, output, suffix, ".inpaint"), masks, sampling(), samples)
    console = Console(quiet=quiet, verbose=verbose, as_json=as_json)
    return carry_out(console, request, inpaint_files, compare=compare)
