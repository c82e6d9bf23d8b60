"""What a page has opened."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from served import PATIENCE, hole

from irflow_cli.serve.tabs import MOST_BYTES


def test_pages_know_nothing_of_each_other(make_page: Callable) -> None:
    one, other = make_page(), make_page()
    photo = one.ask("open", path="a.png")[1]["photo"]
    assert other.ask("save", photo=photo, version=0)[0] == 400
    other.ask("open", path="b.jpg")
    one.ask("work", photo=photo, version=0, steps=[{"kind": "upscale"}])
    other.ask("cancel")
    assert one.done()["state"] == "done"


def test_a_page_that_closes_takes_its_work_along(make_page: Callable, photos: Path) -> None:
    Image.fromarray(np.zeros((700, 900, 3), np.uint8)).save(photos / "large.png")
    page = make_page()
    worker, photo = page.studio.worker, page.ask("open", path="large.png")[1]["photo"]
    for _ in range(3):
        page.ask("work", photo=photo, version=0, steps=[{"kind": "restore", "task": "denoise", "sigma": 20}])
    page.socket.close()
    deadline = time.monotonic() + PATIENCE
    while page.tab in page.studio.tabs or worker.waiting or not (worker.current is None or worker.current.stop.is_set()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert page.ask("close", photo=photo)[0] == 400


def test_results_make_room_for_new_ones(make_page: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irflow_cli.serve.tabs.MOST_BYTES", 5 * 40 * 40 * 3)
    assert MOST_BYTES > 2**30
    page = make_page()
    photo = page.ask("open", path="below/c.png")[1]["photo"]
    kept = []
    for seed in range(6):
        page.send("work", hole((40, 40)), photo=photo, version=0, steps=[{"kind": "inpaint", "seed": seed}])
        kept = page.done()["kept"]
    assert 0 in kept and len(kept) == 5
