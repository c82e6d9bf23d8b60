"""A server in this process for requests, and one by itself with a browser before it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from served import Served, begin, fill_folder
from starlette.testclient import TestClient

from irflow_cli.serve.app import make_app
from irflow_cli.serve.folder import Folder
from irflow_cli.serve.guard import Guard
from irflow_cli.serve.lobby import Lobby
from irflow_cli.serve.steps import Engines
from irflow_cli.serve.studio import Studio
from irflow_cli.serve.worker import Worker

PORT, TOKEN = 8123, "one-time"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Page:
    """A page that is open: requests as its JavaScript makes them."""

    client: TestClient
    socket: Any
    tab: str
    studio: Studio

    def ask(self, what: str, **message: Any) -> Any:
        """Send a message without bytes and return the answer's status and JSON."""
        answer = self.client.post(f"/api/{what}", content=json.dumps({"tab": self.tab, **message}))
        return answer.status_code, answer.json()

    def send(self, what: str, data: bytes, **message: Any) -> Any:
        """Send a message with bytes and return the answer."""
        return self.client.post(f"/api/{what}", params={"ask": json.dumps({"tab": self.tab, **message})}, content=data)

    def done(self) -> dict[str, Any]:
        """Wait for an item of work to end, and return what became of it."""
        while (news := self.socket.receive_json())["state"] in ("waiting", "running"):
            pass
        return news


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with a picture, one below it, and things that are none."""
    return fill_folder(tmp_path)


@pytest.fixture
def make_page(photos: Path) -> Iterator[Callable[..., Page]]:
    """Return a function that starts a server, with `read_only` and `max_pixels`, and opens a page of it, or one more."""
    studios: list[Studio] = []
    sockets: list[Any] = []

    def make(*, read_only: bool = False, max_pixels: int = 2**22) -> Page:
        if not studios:
            studio = Studio(Lobby(Folder(photos, read_only), max_pixels), Engines({"device": "cpu"}, max_pixels), Worker())
            studio.worker.start()
            studios.append(studio)
        guard = Guard(make_app(studios[0].lobby, lambda: studios[0]), PORT, TOKEN)
        client = TestClient(guard, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=True)
        client.get("/", params={"token": TOKEN})
        socket = client.websocket_connect(
            f"ws://127.0.0.1:{PORT}/api/tab", headers={"origin": f"http://127.0.0.1:{PORT}", "host": f"127.0.0.1:{PORT}"}
        )
        sockets.append(socket.__enter__())
        return Page(client, sockets[-1], sockets[-1].receive_json()["tab"], studios[0])

    yield make
    for socket in sockets:
        socket.__exit__(None, None, None)
    for studio in studios:
        studio.worker.end()


@pytest.fixture
def serve_folder(photos: Path) -> Iterator[Callable[..., Served]]:
    """Return a function that serves the folder from a process of its own, with options."""
    begun: list[Served] = []

    def start(*options: str) -> Served:
        begun.append(begin(photos, *options))
        return begun[-1]

    yield start
    for served in begun:
        if served.process.poll() is None:
            served.process.kill()
        served.process.communicate()


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Return where Chromium is; skips where there is none, or nothing to drive it."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("no Chromium is installed")
    return BROWSER
