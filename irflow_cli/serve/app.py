"""What the page can ask: a table of addresses, and what each answers."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from irflow_cli.errors import CheckpointError, DeviceError, DiskFull, ImageError, IrflowError, UsageError
from irflow_cli.serve.folder import Forbidden, Taken
from irflow_cli.serve.lobby import Json, Lobby
from irflow_cli.serve.worker import in_words

if TYPE_CHECKING:
    from irflow_cli.serve.studio import Studio

Answer = Callable[[Json, bytes], "Json | Response"]
Made = Callable[[], "Studio"]  # waits until all that pictures need is loaded; the page itself comes before

# The status of each kind of error; the first that fits.
STATUS: tuple[tuple[type[IrflowError], int], ...] = (
    (Forbidden, 403),
    (Taken, 409),
    (ImageError, 422),
    (UsageError, 400),
    (DiskFull, 507),
    (DeviceError, 503),
    (CheckpointError, 500),
    (IrflowError, 500),
)
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MESSAGE = 2**20  # bytes of a message that is no picture and no mask
METHODS = {"tile": "GET"}  # all else is asked for by POST
FILES = resources.files("irflow_cli.serve") / "page"


# Addresses below /api/. The message is JSON in the address's `ask`, or, where no bytes come with it, in the body.
LOBBY = ("menu", "list")
STUDIO = (
    *("open", "drop", "close", "tile", "changes", "colour", "read_mask", "mask_file", "masks"),
    *("work", "cancel", "command", "save", "download"),
)


def _handler(answer: Answer, most: int) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a request by a function of its message and bytes, of which `most` are taken in."""

    async def handle(request: Request) -> Response:
        with_bytes = "ask" in request.query_params
        data = await _body(request, most if with_bytes and request.method == "POST" else MESSAGE)
        text = request.query_params["ask"] if with_bytes else data or b"{}"
        try:
            asked = json.loads(text)
        except (ValueError, RecursionError):
            raise UsageError("the message is no JSON; reload the page") from None
        if not isinstance(asked, dict):
            raise UsageError("the message is no JSON object; reload the page")
        given = await asyncio.to_thread(answer, asked, data if with_bytes else b"")
        return given if isinstance(given, Response) else as_json(given)

    return handle


async def _body(request: Request, most: int) -> bytes:
    """Return what came with a request. Raises ImageError before more than `most` bytes are in memory."""
    parts, size = [], 0
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise ImageError(f"more than {most} bytes; `max_pixels` raises the limit")
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise ImageError(f"more than {most} bytes; `max_pixels` raises the limit")
        parts.append(part)
    return b"".join(parts)


def make_app(lobby: Lobby, made: Made) -> Starlette:
    """Return the application; who may ask is for `guard.Guard` to say."""

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in _names():
            raise HTTPException(404, "there is no such page")
        return Response(_content(name), media_type=TYPES.get(Path(name).suffix, "application/octet-stream"))

    def in_studio(name: str) -> Answer:
        return lambda asked, data: getattr(made(), name)(asked, data)

    async def socket(connection: WebSocket) -> None:
        await _attend(await asyncio.to_thread(made), connection)

    async def failed(request: Request, error: Exception) -> Response:
        return _failure(error)

    answers = [(name, getattr(lobby, name)) for name in LOBBY] + [(name, in_studio(name)) for name in STUDIO]
    return Starlette(
        routes=[
            Route("/", page),
            Route("/page/{name}", page),
            *(
                Route(f"/api/{name}", _handler(answer, lobby.most), methods=[METHODS.get(name, "POST")])
                for name, answer in answers
            ),
            WebSocketRoute("/api/tab", socket),
        ],
        exception_handlers={IrflowError: failed, MemoryError: failed, HTTPException: failed},
    )


def as_json(values: Json, status: int = 200) -> Response:
    """Return an answer as JSON, whose names may be in an encoding that is none: they come back as they went."""
    return Response(json.dumps(values), status, media_type="application/json")


@functools.cache
def _names() -> set[str]:
    return {file.name for file in FILES.iterdir()}


@functools.cache
def _content(name: str) -> bytes:
    return FILES.joinpath(name).read_bytes()


def _failure(error: Exception) -> Response:
    """Return the answer to a request that failed: a status and one line."""
    if isinstance(error, HTTPException):
        return as_json({"error": str(error.detail)}, error.status_code)
    if isinstance(error, MemoryError):
        return as_json({"error": "not enough memory for it; close a photograph, or free some"}, 507)
    large = isinstance(error, ImageError) and error.field == "max_pixels"
    status = 413 if large else next(status for kind, status in STATUS if isinstance(error, kind))
    return as_json({"error": in_words(error)}, status)


async def _attend(studio: Studio, connection: WebSocket) -> None:
    """Be there for a page as long as it is open: messages go out; when it closes, its work stops and all of its is let go."""
    from irflow_cli.serve.tabs import Tab  # which is loaded by now

    await connection.accept()
    loop, messages = asyncio.get_running_loop(), asyncio.Queue()

    def tell(message: Json | bytes) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(messages.put_nowait, message)

    tab = Tab(tell)
    studio.tabs[tab.token] = tab
    studio.worker.wake()

    async def send() -> None:
        while True:
            message = await messages.get()
            await (connection.send_bytes(message) if isinstance(message, bytes) else connection.send_text(json.dumps(message)))

    async def listen() -> None:
        while (await connection.receive())["type"] != "websocket.disconnect":
            pass

    tell({"type": "tab", "tab": tab.token})
    tasks = [asyncio.create_task(send()), asyncio.create_task(listen())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        studio.tabs.pop(tab.token, None)
        studio.worker.cancel(tab)
