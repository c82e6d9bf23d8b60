"""The server: an address on this machine, and its end."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from irflow_cli import extras
from irflow_cli.errors import IrflowError, UsageError, require
from irflow_cli.serve import OPENED
from irflow_cli.serve.worker import Worker
from irflow_cli.tasks import MAX_PIXELS

if TYPE_CHECKING:
    from irflow_cli.serve.lobby import Lobby
    from irflow_cli.serve.studio import Studio

HOST = "127.0.0.1"
EXTRA = ("uvicorn", "starlette", "websockets")  # what irflow[serve] brings
PATIENCE = 5  # seconds that a file which is being written has, at the end


@dataclass(frozen=True)
class ServeSettings:
    """What is served and how. port: 0 for any that is free. machine: where and by what networks are computed, see
    `steps.Engines`. max_pixels: of a picture that is opened; results may have as many as those of the commands, or this
    if more."""

    folder: Path = Path()
    port: int = 0
    read_only: bool = False
    machine: dict[str, str] = field(default_factory=dict)
    max_pixels: int = OPENED

    def check(self) -> None:
        """Raise UsageError, in one line, for the first setting that makes no sense, DeviceError for a device that is not there,
        IrflowError where the extra is missing."""
        require(self.folder.is_dir(), f"there is no folder {self.folder}")
        require(0 <= self.port <= 65535, f"`port` goes from 0 to 65535, got {self.port}")
        require(self.max_pixels > 0, f"`max_pixels` must be above 0, got {self.max_pixels}")
        for name in EXTRA:
            if importlib.util.find_spec(name) is None:
                raise IrflowError(f"serving needs {name}; {extras.hint('serve')}")
        if any(asked != "auto" for asked in self.machine.values()):  # else torch is not needed yet
            from irflow_cli.engines import backends
            from irflow_cli.runtime.device import choose_device

            backends.check(self.machine.get("engine", "auto"), self.machine.get("precision", "auto"))
            choose_device(self.machine.get("device", "auto"))


def serve(settings: ServeSettings, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, which is raised again when all is at its end. ready: told the address, with its token.

    The address is told as soon as the port listens: a browser starts while the server is loaded, and is answered then. When the
    page is there, it calls: then that is loaded which reads pictures, and the network, while the page is looked at.

    Raises UsageError for settings that make no sense, and where the port is taken; IrflowError where the extra is missing.
    """
    settings.check()
    token = secrets.token_urlsafe(24)
    with _listening(settings.port) as listener:
        port = listener.getsockname()[1]
        ready(f"http://{HOST}:{port}/?token={token}")
        import uvicorn

        from irflow_cli.serve.app import make_app
        from irflow_cli.serve.folder import Folder
        from irflow_cli.serve.guard import Guard
        from irflow_cli.serve.lobby import Lobby

        worker = Worker(lambda: _warm(made()))
        lobby = Lobby(Folder(settings.folder, settings.read_only), settings.max_pixels)
        made = _once(functools.partial(_studio, settings, lobby, worker))
        config = uvicorn.Config(
            Guard(make_app(lobby, made), port, token),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=2**16,
            ws_per_message_deflate=False,  # nothing goes far, and tiles are packed
            ws_ping_interval=None,  # the other end is on this machine: it is there, or its end is known at once
            timeout_graceful_shutdown=PATIENCE,
        )
        worker.start()
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            worker.end(PATIENCE)


def _once(make: Callable[[], Studio]) -> Callable[[], Studio]:
    """Return a function that makes something at its first call; other threads wait for it."""
    lock, kept = threading.Lock(), functools.cache(make)

    def made() -> Studio:
        with lock:
            return kept()

    return made


def _studio(settings: ServeSettings, lobby: Lobby, worker: Worker) -> Studio:
    """Return what works with pictures, and load all that it needs but the networks."""
    from irflow_cli.serve.steps import Engines
    from irflow_cli.serve.studio import Studio

    return Studio(lobby, Engines(settings.machine, max(MAX_PIXELS, settings.max_pixels)), worker)


def _warm(studio: Studio) -> None:
    """Load what takes long, while the person looks at the page."""
    from irflow_cli.engines.settings import SamplerSettings

    studio.engines.inpainter(SamplerSettings(None, **studio.engines.machine))


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    # Told to be TCP, for asyncio to send what is small at once; else each answer would wait 40 ms for the other end.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere two could listen on one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(f"port {port} cannot be used ({error.strerror}); give another `port`, or 0 for any") from None
    try:
        yield listener
    finally:
        listener.close()
