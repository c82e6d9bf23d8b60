"""`irflow models`: the checkpoints there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson, Output, Overwrite

models = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Checkpoints: what there is and what they are.")


@models.command("list")
def list_models(as_json: AsJson = False) -> int:
    """List the shipped and the cached checkpoints.

    Example: irflow models list
    """
    from irflow_cli.services.models import list_checkpoints

    console, damaged = Console(as_json=as_json), 0
    for known in list_checkpoints():
        if known.card is None:
            damaged += 1
            console.error(str(known.error))
            continue
        score = known.card.scores.get("validation_psnr")
        told = f"validation {score:.2f} dB" if isinstance(score, float) else "no score"
        text = f"{known.path.stem}\t{known.card.task}\t{known.path.stat().st_size / 2**20:.1f} MiB\t{told}"
        console.result(text, name=known.path.stem, task=known.card.task, path=known.path)
    return 4 if damaged else 0


@models.command("show")
def show_model(name: str = typer.Argument(help="A name or a .safetensors file.")) -> int:
    """Print what a checkpoint says of itself, as JSON.

    Example: irflow models show derain
    """
    import json

    from irflow_cli.services.models import show_checkpoint

    known = show_checkpoint(name)
    assert known.card is not None
    Console().result(json.dumps({"path": str(known.path), **json.loads(known.card.to_json())}, indent=2))
    return 0


@models.command("convert")
def convert_model(
    source: Annotated[Path, typer.Argument(help="A .pth or .pt file of IR-Flow, PnP-Flow or Restora-Flow.")],
    output: Output = None,
    task: Annotated[Optional[str], typer.Option(help="What an IR-Flow network was trained for.")] = None,  # noqa: UP045
    sigma_max: Annotated[Optional[float], typer.Option(help="The noise it was trained on, 0-255.")] = None,  # noqa: UP045
    order: Annotated[str, typer.Option(help="Channels an IR-Flow network was shown: bgr or rgb.")] = "bgr",
    size: Annotated[Optional[int], typer.Option(help="Side of the pictures of a prior.")] = None,  # noqa: UP045
    licence: Annotated[str, typer.Option(help="Licence of the weights, for the record.")] = "that of its authors",
    overwrite: Overwrite = False,
) -> int:
    """Turn the authors' weights into a checkpoint. Their file is read with weights_only: nothing in it is executed.

    Example: irflow models convert best_G.pth --task derain
    """
    from irflow_cli.services.models import ConvertRequest, convert_checkpoint

    request = ConvertRequest(source, output, task, sigma_max, order, size, licence, overwrite)
    Console().result(str(convert_checkpoint(request)))
    return 0
