"""Who is answered: the person who started the server, in a browser that got its token, on a page that it sent itself."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What a browser gets with every answer: nothing from elsewhere is loaded, nothing is kept, no page looks in.
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
REFUSED = 1008  # of a WebSocket's closing codes: against a rule


class Guard:
    """An ASGI middleware that lets through requests with the cookie, of this host's name and from its own pages.

    The token in the address that is printed is good for one browser: it is exchanged for a cookie, and then worth nothing.
    Host and Origin are compared with names of this machine, so that neither a name that is bound to 127.0.0.1 elsewhere (DNS
    rebinding) nor a page of another server (cross-site requests) gets an answer.
    """

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self.app, self.token = app, token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie, self.secret = f"irflow-{port}", secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = self._answer(scope, headers)
        if answer is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": REFUSED})
        else:
            await answer(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        """Return what a request gets here, or None for one that is let through."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self.hosts:
            return _refusal(421, "this server answers under 127.0.0.1 and localhost only; use the address it printed")
        needed = scope["type"] == "websocket"  # browsers send it always, and there is no other sign of a foreign page
        if (origin is None and needed) or (origin is not None and origin != f"http://{host}"):
            return _refusal(403, "a page of another address may not ask this server")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _refusal(403, "a page of another address may not ask this server; open the address it printed yourself")
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        entering = scope["type"] == "http" and scope["path"] == "/" and bool(given and self.token)
        if entering and secrets.compare_digest(given.encode(), self.token.encode()):
            return self._welcome()
        if not self._known(headers.get("cookie", "")):
            spent = "this address was used already" if not self.token else "the token is missing or wrong"
            return _refusal(403, f"{spent}; open the address that `irflow serve` printed, or start it again")
        return RedirectResponse("/", 303) if given else None

    def _welcome(self) -> Response:
        """Return the answer to the token: the cookie, and the page without the token in its address."""
        self.token = ""
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.cookie, self.secret, httponly=True, samesite="strict", path="/")
        return answer

    def _known(self, cookies: str) -> bool:
        try:
            found = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return False
        return found is not None and secrets.compare_digest(found.value.encode(), self.secret.encode())


def _refusal(status: int, line: str) -> Response:
    return PlainTextResponse(f"irflow: {line}\n", status)


def _with_headers(send: Send) -> Send:
    """Return a `send` that adds HEADERS to an answer's own."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own: list[Any] = list(message["headers"])
            there = {name for name, _ in own}
            own += [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
            message = {**message, "headers": own}
        await send(message)

    return sent
