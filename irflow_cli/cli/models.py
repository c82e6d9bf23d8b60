"""`irflow models`: the checkpoints there are."""

from __future__ import annotations

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson

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
        score = known.card.scores.get("validation_psnr", float("nan"))
        text = f"{known.path.stem}\t{known.card.task}\t{known.path.stat().st_size / 2**20:.1f} MiB\tvalidation {score:.2f} dB"
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
