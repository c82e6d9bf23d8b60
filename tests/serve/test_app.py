"""Addresses, and what each answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def test_more_bytes_than_a_picture_has_are_not_taken_in(make_page: Callable) -> None:
    page = make_page(max_pixels=1)
    assert page.send("drop", bytes(2**26 + 17), name="a.png").status_code == 413
    assert page.client.post("/api/menu", content=b" " * (2**20 + 1)).status_code == 413


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"tab": 5}', b'{"tab": "unknown"}', b"[" * 100_000])
def test_messages_that_are_none_are_refused(make_page: Callable, body: bytes) -> None:
    answer = make_page().client.post("/api/close", content=body)
    assert answer.status_code == 400 and "reload" in answer.json()["error"]


def test_names_in_another_encoding_come_back_as_they_went(make_page: Callable, photos: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        (photos / odd).write_bytes((photos / "a.png").read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    page = make_page()
    assert odd in [entry["path"] for entry in page.ask("list")[1]["entries"]]
    photo = page.ask("open", path=odd)[1]["photo"]
    page.ask("work", photo=photo, version=0, steps=[{"kind": "upscale"}])
    version = page.done()["versions"][0]["version"]
    assert page.send("download", b"", photo=photo, version=version).headers["content-disposition"].endswith("caf%E9.x2.png")
    assert page.ask("save", photo=photo, version=version)[0] == 200
    assert (photos / os.fsdecode(b"caf\xe9.x2.png")).exists()
    assert page.ask("open", path="\ud800.png")[0] in (403, 422)


def test_reading_by_address_changes_nothing(make_page: Callable) -> None:
    page = make_page()
    for name in ("save", "work", "open", "cancel", "close", "masks", "download", "list"):
        assert page.client.get(f"/api/{name}", params={"ask": "{}"}).status_code == 405
