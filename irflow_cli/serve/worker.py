"""The one place where engines run: a thread and a queue. What is queued can be stopped, and tells how much is done and what is
left."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from irflow_cli.errors import NAMED, IrflowError

BETWEEN = 0.1  # seconds between two messages on the progress of an item
Tell = Callable[["dict[str, Any] | bytes"], None]  # a message to a page
NUMBERS = itertools.count(1)


class Stopped(BaseException):
    """Raised inside an engine, from its progress, when nobody wants the result any more. No error, so that nothing catches it
    on the way."""


def in_words(text: object) -> str:
    """Return an error or a note as the page shows it: the settings it names stand in words."""
    return NAMED.sub(lambda match: match[1].replace("_", " "), str(text))


@dataclass(eq=False)
class WorkItem:
    """Work for a page, queued or running. owner: whose it is; about: what goes with every message on it; work: gets a function
    to call with the share that is done, and returns what the page is to know at the end."""

    owner: object
    tell: Tell
    about: dict[str, Any]
    work: Callable[[Callable[[float], None]], dict[str, Any]]
    stop: threading.Event = field(default_factory=threading.Event)
    number: int = field(default_factory=lambda: next(NUMBERS))

    def say(self, state: str, **more: Any) -> None:
        """Tell the page what became of it."""
        self.tell({"type": "work", "item": self.number, "state": state, **self.about, **more})


class Worker:
    """A thread that works on items in the order in which they came; a page waits for one item of another, not for all. warm:
    what is done before the first of them."""

    def __init__(self, warm: Callable[[], None] = lambda: None) -> None:
        self.warm = warm
        self.waiting: deque[WorkItem] = deque()
        self.current: WorkItem | None = None
        self.ended = self.awake = False
        self.change = threading.Condition()
        self.thread = threading.Thread(target=self._run, name="engines", daemon=True)

    def start(self) -> None:
        """Begin to wait for work."""
        self.thread.start()

    def wake(self) -> None:
        """Load now what takes long: a page is there, and work will come."""
        with self.change:
            self.awake = True
            self.change.notify_all()

    def add(self, item: WorkItem) -> None:
        """Put an item into the queue, behind what came before from its page."""
        with self.change:
            self.waiting.append(item)
            self.change.notify_all()
        item.say("waiting")

    def cancel(self, owner: object, number: int | None = None) -> None:
        """Stop an owner's items, or the one with a number. One that runs ends at its next tile."""
        with self.change:
            mine = [item for item in self.waiting if item.owner is owner and number in (None, item.number)]
            for item in mine:
                self.waiting.remove(item)
            if self.current and self.current.owner is owner and number in (None, self.current.number):
                self.current.stop.set()
        for item in mine:
            item.say("cancelled")

    def end(self, patience: float = 5.0) -> None:
        """Stop everything, and wait for what runs to come to its next tile, `patience` seconds at most."""
        with self.change:
            self.ended = True
            self.waiting.clear()
            if self.current:
                self.current.stop.set()
            self.change.notify_all()
        if self.thread.is_alive():
            self.thread.join(patience)

    def _next(self) -> WorkItem | None:
        """Return the next item: the first of a page other than the last one's, if there is one; None at the end."""
        with self.change:
            last = weakref.ref(self.current.owner) if self.current else None
            self.current = None  # while it waits, it holds none
            self.change.wait_for(lambda: self.waiting or self.ended)
            if self.ended:
                return None
            others = (item for item in self.waiting if last is None or item.owner is not last())
            item = next(others, self.waiting[0])
            self.waiting.remove(item)
            self.current = item
            return item

    def _run(self) -> None:
        with self.change:
            self.change.wait_for(lambda: self.awake or self.waiting or self.ended)
        try:
            if not self.ended:
                self.warm()
        except Exception:
            traceback.print_exc()  # what is wrong is said again, in one line, by the first item that needs it
        while (item := self._next()) is not None:
            self._do(item)
            del item  # and with it the pictures of a page that may have closed

    def _do(self, item: WorkItem) -> None:
        began = sent = time.monotonic()

        def progress(share: float) -> None:
            nonlocal sent
            if item.stop.is_set():
                raise Stopped
            now = time.monotonic()
            if now - sent >= BETWEEN and share > 0:
                sent = now
                item.say("running", share=share, seconds=now - began, left=(now - began) * (1 - share) / share)

        item.say("running", share=0.0, seconds=0.0, left=None)
        try:
            if item.stop.is_set():
                raise Stopped
            result = item.work(progress)
            item.say("done", seconds=time.monotonic() - began, **result)
        except Stopped:
            item.say("cancelled")
        except IrflowError as error:
            item.say("failed", error=in_words(error))
        except Exception as error:
            from irflow_cli.runtime.device import out_of_memory  # which loads torch

            if out_of_memory(error):
                item.say("failed", error="not enough memory for it; free some, or cut the picture")
            else:
                traceback.print_exc()
                item.say("failed", error=f"a defect of irflow: {error}; the terminal has more")
