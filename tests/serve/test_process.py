"""`irflow serve` as a process: where it listens, and what its options do."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from served import PATIENCE, Served

from irflow_cli.serve.run import _listening


def enter(connection: http.client.HTTPConnection, served: Served) -> dict[str, str]:
    """Return the cookie that the token is good for."""
    connection.request("GET", f"/?{urlsplit(served.address).query}")
    answer = connection.getresponse()
    answer.read()
    return {"cookie": str(answer.getheader("set-cookie")).partition(";")[0]}


def test_it_answers_on_one_address_and_opens_it_on_demand(
    serve_folder: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "browser.py"
    script.write_text(f"import pathlib, sys; pathlib.Path({str(seen)!r}).write_text(sys.argv[1])")
    monkeypatch.setenv("BROWSER", f"{sys.executable} {script} %s")
    served = serve_folder("--open", "--read-only")
    deadline = time.monotonic() + PATIENCE
    while not (seen.exists() and seen.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen.read_text() == served.address

    port = urlsplit(served.address).port or 0
    with pytest.raises(OSError):  # every address of 127.0.0.0/8 is this machine
        socket.create_connection(("127.0.0.2", port), timeout=5)

    with contextlib.closing(http.client.HTTPConnection(urlsplit(served.address).netloc)) as connection:
        check_answers(connection, served)


def check_answers(connection: http.client.HTTPConnection, served: Served) -> None:
    """Check who is answered, and that the folder is only read."""
    cookie = enter(connection, served)
    connection.request("POST", "/api/menu", body=b"{}", headers=cookie)
    menu = json.loads(connection.getresponse().read())
    assert menu["read_only"] is True and menu["folder"] == str(served.folder)
    for headers, status in (({}, 403), ({**cookie, "origin": "http://evil.example"}, 403), ({**cookie, "host": "evil"}, 421)):
        connection.request("POST", "/api/list", body=b"{}", headers=headers)
        answer = connection.getresponse()
        line = answer.read().decode()
        assert answer.status == status and line.startswith("irflow: ") and line.count("\n") == 1


def test_small_answers_are_sent_at_once() -> None:
    with _listening(0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:  # asyncio switches off Nagle's delay for what says that it is TCP, and for nothing else
            assert accepted.proto == socket.IPPROTO_TCP
