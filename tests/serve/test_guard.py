"""Nothing is answered without the token, under another name or to another page."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from irflow_cli.serve.guard import HEADERS, Guard

HOST, TOKEN = "127.0.0.1:8123", "one-time"
SOCKET = f"ws://{HOST}/api/tab"


async def _greet(connection: WebSocket) -> None:
    await connection.accept()
    await connection.send_text("inside")
    await connection.close()


@pytest.fixture
def client() -> TestClient:
    """Return a client of a guarded application that answers "inside" to everything."""
    answer = Route("/{path:path}", lambda request: PlainTextResponse("inside"), methods=["GET", "POST"])
    app = Starlette(routes=[WebSocketRoute("/api/tab", _greet), answer])
    return TestClient(Guard(app, 8123, TOKEN), base_url=f"http://{HOST}")


def enter(client: TestClient) -> None:
    """Exchange the token for the cookie."""
    answer = client.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie


def test_the_token_opens_the_door_once(client: TestClient) -> None:
    enter(client)
    assert client.get("/").text == "inside"
    other = TestClient(client.app, base_url=f"http://{HOST}")
    answer = other.get("/", params={"token": TOKEN})
    assert answer.status_code == 403 and "used already" in answer.text


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/api/menu", "/?token=wrong", "/?token=", "/nothing"])
def test_without_the_token_nothing_is_answered(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 403 and "inside" not in answer.text and answer.text.count("\n") == 1


@pytest.mark.parametrize("host", ["evil.example:8123", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8123", ""])
@pytest.mark.parametrize("path", ["/", f"/?token={TOKEN}"])
def test_under_another_name_nothing_is_answered(client: TestClient, host: str, path: str) -> None:
    assert client.get(path, headers={"host": host}).status_code == 421
    enter(client)  # the token was not spent
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:8123"},
        {"origin": "http://127.0.0.1:8124"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_page_is_not_answered(client: TestClient, headers: dict[str, str]) -> None:
    enter(client)
    for answer in (client.get("/", headers=headers), client.post("/api/save", headers=headers)):
        assert answer.status_code == 403 and "another address" in answer.text


def test_a_socket_needs_cookie_and_origin(client: TestClient) -> None:
    own = {"origin": f"http://{HOST}", "host": HOST}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKET, headers=own):
        pass
    enter(client)
    for headers in ({"host": HOST}, {"origin": "http://evil.example", "host": HOST}, {**own, "host": "evil.example:8123"}):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKET, headers=headers):
            pass
    with client.websocket_connect(SOCKET, headers=own) as socket:
        assert socket.receive_text() == "inside"


def test_a_wrong_cookie_is_none(client: TestClient) -> None:
    for cookie in ("irflow-8123=guess", "irflow-8123=", "irflow-8123=\u00fc", "=;;;", 'irflow-8123="'):
        assert client.get("/", headers={"cookie": cookie.encode("latin-1")}).status_code == 403


def test_every_answer_keeps_the_page_to_itself(client: TestClient) -> None:
    refused = client.get("/")
    enter(client)
    for answer in (refused, client.get("/"), client.get("/api/menu")):
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    assert "default-src 'none'" in HEADERS["content-security-policy"]
