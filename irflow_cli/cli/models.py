"""`irflow models`: the checkpoints there are."""

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from irflow_cli.cli.config import Command
from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson, Overwrite, Quiet, among, checkpoints, choice
from irflow_cli.errors import IrflowError

models = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@models.callback()
def listed(context: typer.Context) -> int:
    """Checkpoints: what there is and what they are. Alone, it lists them.

    Example: irflow models list
    """
    return list_models() if context.invoked_subcommand is None else 0


@models.command("list", cls=Command)
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
        score_text = f"validation {score:.2f} dB" if isinstance(score, float) else "no score"
        text = f"{known.path.stem}\t{known.card.task}\t{known.path.stat().st_size / 2**20:.1f} MiB\t{score_text}"
        console.result(text, name=known.path.stem, task=known.card.task, path=known.path)
    return 4 if damaged else 0


@models.command("show", cls=Command)
def show_model(name: str = typer.Argument(help="A name or a .safetensors file.", autocompletion=checkpoints)) -> int:
    """Print what a checkpoint says of itself, as JSON: `digest` is the sha256 of its weights, `file_sha256` that of the whole
    file, which `irflow models verify` compares.

    Example: irflow models show derain
    """
    import json

    from irflow_cli.regular import digest_regular
    from irflow_cli.services.models import show_checkpoint

    known = show_checkpoint(name)
    assert known.card is not None
    Console().result(
        json.dumps(
            {"path": str(known.path), "file_sha256": digest_regular(known.path), **json.loads(known.card.to_json())}, indent=2
        )
    )
    return 0


@models.command("pull", cls=Command)
def pull_model(
    source: str = typer.Argument(help="https://... or hf://owner/name[@revision]/file"),
    name: Annotated[Optional[str], typer.Option(help="Its name here.", show_default="the file's")] = None,
    sha256: Annotated[Optional[str], typer.Option(help="What the file must have.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Bring a checkpoint into the cache: resumed if need be, checked, and only then given its name.

    IRFLOW_MIRROR, or HF_ENDPOINT for hf://, takes the place of scheme and host. With IRFLOW_OFFLINE or HF_HUB_OFFLINE set no
    connection is made.

    Example: irflow models pull hf://owner/name/snow.safetensors
    """
    from irflow_cli.services.models import pull_checkpoint

    console = Console(quiet=quiet, as_json=as_json)
    with console.progress("irflow", 1) as show:
        pulled = pull_checkpoint(source, name, sha256, show)
    console.note(f"{pulled.path.stem}: file's sha256 {pulled.sha256}")
    console.result(str(pulled.path), name=pulled.path.stem, path=pulled.path, sha256=pulled.sha256)
    return 0


@models.command("verify", cls=Command)
def verify_models(
    names: Annotated[
        Optional[list[str]], typer.Argument(help="Names or files.", show_default="all", autocompletion=checkpoints)
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Read checkpoints in full and compare them with what they should be; one in the cache that is not is set aside.

    Example: irflow models verify derain
    """
    from irflow_cli.services.models import verify_checkpoints

    console, wrong = Console(as_json=as_json), 0
    for verified in verify_checkpoints(names or []):
        if verified.error:
            wrong += 1
            console.error(verified.error)
        if as_json or not verified.error:
            values = {"name": verified.path.stem, "path": verified.path, "sha256": verified.sha256, "error": verified.error}
            console.result(f"{verified.path.stem}\tfile's sha256 {verified.sha256}\tas it should be", **values)
    return 4 if wrong else 0


@models.command("rm", cls=Command)
def remove_models(names: Annotated[list[str], typer.Argument(help="Names in the cache.", autocompletion=checkpoints)]) -> int:
    """Remove checkpoints from the cache. Those that ship with irflow stay.

    Example: irflow models rm snow
    """
    from irflow_cli.services.models import remove_checkpoint

    console, codes = Console(), [0]
    for name in names:
        try:
            console.result(str(remove_checkpoint(name)))
        except IrflowError as error:
            console.error(str(error))
            codes.append(error.exit_code)
    return max(codes)


@models.command("path", cls=Command)
def path_of_model(
    name: Annotated[Optional[str], typer.Argument(help="A name.", show_default="the cache", autocompletion=checkpoints)] = None,
) -> int:
    """Print where a checkpoint lies, or the folder that pull writes to.

    Example: irflow models path derain
    """
    from irflow_cli.runtime.checkpoints import resolve
    from irflow_cli.runtime.places import cache_folder

    Console().result(str(resolve(name) if name else cache_folder()))
    return 0


@models.command("convert", cls=Command)
def convert_model(
    source: Annotated[Path, typer.Argument(help="A .pth or .pt file of IR-Flow, PnP-Flow or Restora-Flow.")],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="The .safetensors file to write.", show_default="beside SOURCE")
    ] = None,
    task: Annotated[Optional[str], typer.Option(help="What an IR-Flow network was trained for.")] = None,
    sigma_max: Annotated[Optional[float], typer.Option(help="The noise it was trained on, 0-255.")] = None,
    order: Annotated[
        Optional[str], choice("bgr", "rgb", help="Channels that an IR-Flow network was shown.", show_default="bgr")
    ] = None,
    size: Annotated[Optional[int], typer.Option(help="Side of the pictures of a prior.")] = None,
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


@models.command("export", cls=Command)
def export_model(
    name: Annotated[str, typer.Argument(help="A name or a .safetensors file.", autocompletion=checkpoints)],
    kind: Annotated[
        str,
        typer.Option("--format", help="Format of the file.", metavar="onnx|openvino", autocompletion=among("onnx", "openvino")),
    ] = "onnx",
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="The .onnx or .xml file.", show_default="NAME in this folder")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Write a checkpoint for other programs, in float32, for pictures of any size, compared with torch first.

    How it is called stands in docs/engines.md and in the file itself.

    Example: irflow models export denoise --format onnx
    """
    from irflow_cli.services.export import ExportRequest, export_checkpoint

    console = Console(quiet=quiet, as_json=as_json)
    path, difference = export_checkpoint(ExportRequest(name, kind, output, overwrite))
    console.note(f"{path}: differs from torch by {difference:.1e} at most")
    console.result(str(path), path=path, difference=difference)
    return 0
