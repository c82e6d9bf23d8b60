"""`irflow serve`: a page to paint a mask and to see before and after."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import Device, Engine, EnginePrecision, MaxPixels, Quiet
from irflow_cli.serve import OPENED


def serve(
    folder: Annotated[Path, typer.Argument(help="Folder with pictures.", show_default="this one")] = Path(),
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 for any that is free.")] = 0,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Write nothing; results can be downloaded.")] = False,
    max_pixels: MaxPixels = OPENED,
    device: Device = "auto",
    engine: Engine = "auto",
    precision: EnginePrecision = "auto",
    quiet: Quiet = False,
) -> int:
    """Serve a page, to this machine alone, on which masks are painted and results compared.

    The address that is printed holds a token that one browser can use once. Ctrl-C ends it. Needs irflow[serve].

    Example: irflow serve photos/ --open
    """
    from irflow_cli.serve.run import ServeSettings
    from irflow_cli.serve.run import serve as run

    console, machine = Console(quiet=quiet), {"device": device, "engine": engine, "precision": precision}

    def ready(address: str) -> None:
        console.result(address)
        console.note("open it in a browser on this machine; press Ctrl-C to end")
        if open_page:  # some browsers are waited for until they end
            threading.Thread(target=_open, args=(address, console), daemon=True).start()

    try:
        run(ServeSettings(folder, port, read_only, machine, max_pixels), ready)
    except KeyboardInterrupt:
        console.note("ended")  # as it is meant to
    return 0


def _open(address: str, console: Console) -> None:
    if not webbrowser.open(address):
        console.note("no browser was found; copy the address into one")
