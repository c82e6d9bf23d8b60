"""Redirects that are not followed."""

from __future__ import annotations

import urllib.request

import pytest

from irflow_cli.runtime import connection


def test_a_redirect_from_https_to_http_is_refused() -> None:
    class Open:
        closed = False

        def close(self) -> None:
            self.closed = True

    request, response = urllib.request.Request("https://example.org/x"), Open()
    follow = connection.Redirects().redirect_request
    with pytest.raises(connection.Failed, match="not https"):
        follow(request, response, 302, "Found", {}, "http://127.0.0.1/x")
    assert response.closed
    assert follow(request, response, 302, "Found", {}, "https://example.com/x").full_url == "https://example.com/x"
