"""The standard streams, any of which may be closed, full, or left by whoever read it. Work goes on without being heard."""

from __future__ import annotations

import contextlib
import os
import sys


def open_missing() -> None:
    """Put nothing where a standard stream is closed: the next file that is opened would else get its number, and all that
    libraries print. What was closed still reads as closed (`sys.stdin` and `sys.stdout` are None), but for standard error."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stderr is None:
        _unheard()


def keep_apart() -> None:
    """Give Python's standard error a number of its own: while a picture is read, what arrives at 2 is taken for its reader's
    words, and another thread may just be telling of another picture."""
    if sys.stderr is not None and sys.stderr.fileno() == 2:
        with contextlib.suppress(OSError):  # no number is free
            sys.stderr = os.fdopen(os.dup(2), "w", 1, encoding=sys.stderr.encoding, errors=sys.stderr.errors)


def say(text: str) -> None:
    """Write to standard error, as long as it takes anything."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # full, left by its reader, closed
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for number in {2, sys.stderr.fileno()}:  # for what libraries and Python itself still say
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        _unheard()


def _unheard() -> None:
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open until the end
