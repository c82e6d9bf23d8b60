"""Connections that are watched: over https alone, redirected with care, ended when they come too slowly or last too long."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from irflow_cli.errors import CheckpointError, UsageError

SPAN, RATE = 60.0, 2**12  # in every span of seconds so many bytes a second have to come, the worst modem's rate
LONGEST = 6 * 3600.0  # seconds of an attempt
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Failed(Exception):
    """An attempt that came to nothing. `again`: another one may do better."""

    def __init__(self, reason: str, *, again: bool = True) -> None:
        super().__init__(reason)
        self.again = again


class Refused(Failed):
    """A server that wants more of this machine than a checkpoint needs. Nothing of what it sent is kept."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, again=False)


class Watch:
    """Ends a transfer that comes too slowly or lasts too long, whatever it waits for: headers, chunks or bytes.

    A timeout of sockets begins anew with every byte; this one does not. received: bytes so far, which the transfer counts.
    reason: why it was ended, if it was.
    """

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.received, self.reason = 0, ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        began, before = time.monotonic(), 0
        while not self._over.wait(SPAN):
            if self.received - before < RATE * SPAN:
                self.reason = f"it sends less than {RATE} bytes a second"
            elif time.monotonic() - began > LONGEST:
                self.reason = f"it takes more than {LONGEST / 3600:.0f} hours"
            before = self.received
            if self.reason:
                for one in self.sockets:
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(one, socket.SHUT_RDWR)  # past TLS, whose state belongs to the other thread
                return


def _watched(kind: Any, watch: Watch) -> Any:
    """Return a kind of connection whose sockets `watch` can shut."""

    class Watched(kind):
        def connect(self) -> None:
            super().connect()
            watch.sockets.append(self.sock)

    return Watched


class Watching:
    """What a handler of `urllib` adds to have its connections watched."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def do_open(self, http_class: Any, req: Any, **more: Any) -> Any:
        return super().do_open(_watched(http_class, self.watch), req, **more)  # type: ignore[misc]


class Http(Watching, urllib.request.HTTPHandler):
    """Watched connections over http."""


class Https(Watching, urllib.request.HTTPSHandler):
    """Watched connections over https."""


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, never from https to http, and keeps the sha256 that the Hub names on the way."""

    def __init__(self) -> None:
        self.named = ""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        self.named = self.named or headers.get("X-Linked-ETag", "")
        try:
            if req.full_url.startswith("https:") and not newurl.startswith("https:"):
                raise CheckpointError(f"{newurl!r} is not https")
            check_address(newurl, CheckpointError)
        except CheckpointError as error:
            fp.close()
            raise Failed(f"redirected to where irflow does not go ({error})", again=False) from None
        fp.close()  # or the whole body beside the redirect would be read, however long
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_address(url: str, kind: type[UsageError] | type[CheckpointError]) -> None:
    """Raise an error of `kind` unless `url` is https, or http to this machine, and free of secrets and control characters."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if safe and parts.hostname and "@" not in parts.netloc and url.isascii() and url.isprintable() and " " not in url:
            return
    raise kind(f"{url!r} is neither https://host/file nor hf://owner/name/file")
