"""The heap of the C library: what is freed is kept while a network works, and given back where it is in the way."""

from __future__ import annotations

import contextlib
import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def keep_freed() -> None:
    """Let glibc keep up to 128 MiB of what is freed, and take what it hands out in pieces below 32 MiB from there: a network
    frees and takes the same again with every layer, and giving it back to the system each time costs a tenth of the time."""
    _glibc("mallopt", TRIM_THRESHOLD, 2**27)
    _glibc("mallopt", MMAP_THRESHOLD, 2**25)


def trim() -> None:
    """Let glibc give the system what it kept, before something large is to be there beside it."""
    _glibc("malloc_trim", 0)


def _glibc(function: str, *arguments: int) -> None:
    """Call a function of the C library where it is glibc; elsewhere do nothing."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # other C libraries
            getattr(ctypes.CDLL("libc.so.6"), function)(*arguments)
