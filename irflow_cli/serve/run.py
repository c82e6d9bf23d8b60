"""The server: an address on this machine, and its end."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from irflow_cli.errors import UsageError
from irflow_cli.serve.app import make_app
from irflow_cli.serve.folder import Folder
from irflow_cli.serve.guard import Guard
from irflow_cli.serve.steps import Engines
from irflow_cli.serve.studio import Studio
from irflow_cli.serve.worker import Worker
from irflow_cli.tasks import MAX_PIXELS

HOST = "127.0.0.1"
PATIENCE = 5  # seconds that a file which is being written has, at the end


@dataclass(frozen=True)
class ServeSettings:
    """What is served and how. port: 0 for any that is free. machine: where and by what networks are computed, see
    `steps.Engines`. max_pixels: as the commands'."""

    folder: Path = Path()
    port: int = 0
    read_only: bool = False
    machine: dict[str, str] = field(default_factory=dict)
    max_pixels: int = MAX_PIXELS

    def check(self) -> None:
        """Raise UsageError, in one line, for the first setting that makes no sense."""
        rules = {
            f"there is no folder {self.folder}": self.folder.is_dir(),
            f"`port` goes from 0 to 65535, got {self.port}": 0 <= self.port <= 65535,
            f"`max_pixels` must be above 0, got {self.max_pixels}": self.max_pixels > 0,
        }
        for message, holds in rules.items():
            if not holds:
                raise UsageError(message)


def serve(settings: ServeSettings, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, which is raised again when all is at its end. ready: told the address, with its token.

    Raises UsageError for settings that make no sense, and where the port is taken.
    """
    settings.check()
    engines = Engines(settings.machine, settings.max_pixels)
    worker = Worker(lambda: _warm(engines))
    studio = Studio(Folder(settings.folder, settings.read_only), engines, worker)
    token = secrets.token_urlsafe(24)
    with _listening(settings.port) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            Guard(make_app(studio), port, token),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=2**16,
            ws_ping_interval=None,  # the other end is on this machine: it is there, or its end is known at once
            timeout_graceful_shutdown=PATIENCE,
        )
        worker.start()
        try:
            _Server(config, lambda: ready(f"http://{HOST}:{port}/?token={token}")).run(sockets=[listener])
        finally:
            worker.end(PATIENCE)


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()


def _warm(engines: Engines) -> None:
    """Load what takes long, while the person looks at the page."""
    from irflow_cli.engines.settings import SamplerSettings

    engines.inpainter(SamplerSettings(None, **engines.machine))


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"port {port} is not to be had ({error.strerror}); give another `port`, or 0 for any") from None
    try:
        yield listener
    finally:
        listener.close()
