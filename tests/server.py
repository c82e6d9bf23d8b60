"""A server on 127.0.0.1 that serves one file, and misbehaves as it is told."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """plan: methods of Handler for the next requests; afterwards it serves. asked: path and Range of each request."""

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.plan, self.over = data, [], threading.Event()
        self.asked: list[tuple[str, str]] = []
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the play."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range", "")))
        name, *argument = (self.server.plan.pop(0) if self.server.plan else "serve").split(" ", 1)
        getattr(self, name)(*argument)

    def serve(self, share: float = 1.0, **headers: str) -> None:
        """Send the file, or the part asked for, or only the first `share` of what was announced."""
        data, etag = self.server.data, f'"{hashlib.md5(self.server.data).hexdigest()}"'
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and self.headers.get("If-Range") == etag else 0
        self.send_response(206 if start else 200)
        for key, value in {"ETag": etag, "Content-Length": str(len(data) - start), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start : start + int(share * (len(data) - start))])

    def truncate(self) -> None:
        self.serve(0.5)

    def stall(self) -> None:
        self.serve(0.5)
        self.wfile.flush()
        self.server.over.wait(20)

    def silent(self) -> None:
        self.server.over.wait(20)

    def anew(self) -> None:
        """Send the whole file whatever was asked for."""
        del self.headers["Range"]
        self.serve()

    def another(self) -> None:
        """Send a part that was not asked for."""
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 1-9/{len(self.server.data)}")
        self.send_header("Content-Length", "9")
        self.end_headers()
        self.wfile.write(self.server.data[1:10])

    def mixed(self) -> None:
        """Send the part that was asked for, of another file."""
        self.headers.replace_header("If-Range", f'"{hashlib.md5(self.server.data).hexdigest()}"')
        self.serve(ETag='"another"')

    def nameless(self) -> None:
        """Send half of the file without saying which one it is, so that nothing can be gone on from."""
        self.serve(0.5, ETag="")

    def unmeasured(self) -> None:
        """Send half of the file without having said how long it is."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.data[: len(self.server.data) // 2])

    def endless(self) -> None:
        """Send without end what has no length."""
        self.send_response(200)
        self.end_headers()
        while not self.server.over.is_set():
            self.wfile.write(bytes(2**16))

    def overfull(self) -> None:
        """Send in chunks more than was announced."""
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not self.server.over.is_set():
            self.wfile.write(b"100\r\n" + bytes(256) + b"\r\n")

    def drip(self, what: str) -> None:
        """Send a byte now and then: of the body, of a header, or of the line before a chunk; or another answer before the
        answer, or a redirect with a body."""
        head = b"HTTP/1.1 200 OK\r\n"
        begin, piece = {
            "body": (head + b"\r\n", b"x"),
            "header": (head + b"X-Long: ", b"x"),
            "chunk": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
            "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        }[what]
        self.wfile.write(begin)
        while not self.server.over.wait(0.05):
            self.wfile.write(piece)
            self.wfile.flush()

    def heavy(self) -> None:
        """Redirect, with a body without end."""
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        while not self.server.over.is_set():
            self.wfile.write(bytes(2**16))

    def linked(self, digest: str) -> None:
        """Redirect as the Hub does, naming a sha256."""
        self.send_response(302)
        self.send_header("X-Linked-ETag", f'"{digest}"')
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def say(self, code: str) -> None:
        self.send_response(int(code))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(data: bytes) -> Iterator[Server]:
    """Run a server for `data` while the context lasts."""
    server = Server(data)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
