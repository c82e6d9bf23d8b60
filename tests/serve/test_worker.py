"""The queue: in which order it works, what it tells of its items, and how they end."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from served import PATIENCE

from irflow_cli.errors import UsageError
from irflow_cli.serve.worker import Worker, WorkItem


class Owner:
    """A page: what it is told is kept."""

    def __init__(self) -> None:
        self.news: list[dict[str, Any]] = []
        self.over = threading.Semaphore(0)

    def tell(self, message: dict[str, Any]) -> None:
        """Keep a message."""
        self.news.append(message)
        if message["state"] in ("done", "failed", "cancelled"):
            self.over.release()

    def item(self, work: Callable[[Callable[[float], None]], dict[str, Any]], **about: Any) -> WorkItem:
        """Return work of this page."""
        return WorkItem(self, self.tell, about, work)


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Return a worker that runs."""
    worker = Worker()
    worker.start()
    yield worker
    worker.end()


def test_a_page_waits_for_one_item_of_another_page(worker: Worker) -> None:
    one, other, order, go = Owner(), Owner(), [], threading.Event()

    def work(name: str) -> Callable:
        def waits(progress: Callable[[float], None]) -> dict[str, Any]:
            go.wait(PATIENCE)
            order.append(name)
            return {}

        return waits

    for number in range(3):
        worker.add(one.item(work(f"one {number}")))
    worker.add(other.item(work("other")))
    go.set()
    for owner, items in ((other, 1), (one, 3)):
        assert all(owner.over.acquire(timeout=PATIENCE) for _ in range(items))
    assert order == ["one 0", "other", "one 1", "one 2"]


def test_progress_tells_the_time_that_is_left(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irflow_cli.serve.worker.BETWEEN", 0.0)
    clock = iter([100.0, 102.0, 108.0, 110.0])
    monkeypatch.setattr("irflow_cli.serve.worker.time", SimpleNamespace(monotonic=lambda: next(clock)))
    owner = Owner()
    worker.add(owner.item(lambda progress: progress(0.25) or progress(0.8) or {"versions": []}, photo=7))
    assert owner.over.acquire(timeout=PATIENCE)
    assert [one["state"] for one in owner.news] == ["waiting", "running", "running", "running", "done"]
    assert [(one["share"], one["seconds"], one["left"]) for one in owner.news[1:4]] == [
        (0.0, 0.0, None),
        (0.25, 2.0, 6.0),
        (0.8, 8.0, pytest.approx(2.0)),
    ]
    assert all(one["photo"] == 7 for one in owner.news) and owner.news[-1]["versions"] == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("`scale` goes from 2 to 4"), "scale goes from 2 to 4"),
        (MemoryError(), "not enough memory for it; free some, or cut the picture"),
        (ZeroDivisionError("division by zero"), "a defect of irflow: division by zero; the terminal has more"),
    ],
)
def test_an_item_that_fails_says_why_and_the_next_one_runs(worker: Worker, error: Exception, said: str) -> None:
    def fail(progress: Callable[[float], None]) -> dict[str, Any]:
        raise error

    owner = Owner()
    worker.add(owner.item(fail))
    worker.add(owner.item(lambda progress: {}))
    assert owner.over.acquire(timeout=PATIENCE) and owner.over.acquire(timeout=PATIENCE)
    assert [one.get("error") for one in owner.news if one["state"] == "failed"] == [said]
    assert owner.news[-1]["state"] == "done"


def test_the_end_stops_what_runs_and_what_waits(worker: Worker) -> None:
    owner, begun = Owner(), threading.Event()

    def work(progress: Callable[[float], None]) -> dict[str, Any]:
        begun.set()
        for step in range(1000):
            threading.Event().wait(0.005)
            progress(step / 1000)
        return {}

    for _ in range(2):
        worker.add(owner.item(work))
    assert begun.wait(PATIENCE)
    worker.end(PATIENCE)
    assert not worker.thread.is_alive()
    assert [one["state"] for one in owner.news if one["state"] in ("done", "cancelled")] == ["cancelled"]


def test_nothing_of_a_page_is_held_when_its_work_is_done(worker: Worker) -> None:
    owner, pixels = Owner(), Owner()  # any object that can be watched
    there = [weakref.ref(owner), weakref.ref(pixels)]
    worker.add(owner.item(lambda progress, kept=pixels: {}))
    assert owner.over.acquire(timeout=PATIENCE)
    del owner, pixels
    end = time.monotonic() + PATIENCE
    while any(one() for one in there) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    assert not any(one() for one in there)
