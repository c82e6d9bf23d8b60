"""What libraries say on standard error while they read a file: caught, so that it can be reported with the file's name."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

LOCK = threading.Lock()  # standard error is one for all threads
SAID = re.compile(  # by libjpeg, and by libtiff and others that put the name of the file or the part before it
    rb"^(Corrupt JPEG|Premature end|Warning|Invalid|Unsupported|Unknown|Inconsistent|(?!OMP|Intel|MKL|oneDNN|libgomp)[\w.-]+: )"
)
UNABLE = b"is not configured"  # what libtiff says of a compression that it was built without, which another reader takes
LOGGERS = ("tifffile", "PIL")  # of libraries that say it so
DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG file", "Invalid JPEG file structure", "Inconsistent progression")
MOST = 2**16  # bytes that are looked at


@contextlib.contextmanager
def caught() -> Iterator[list[str]]:
    """Yield a list that holds, after the block, the lines that libraries have written to standard error or logged, each once.

    What others wrote there meanwhile goes on its way. Python's own writers keep the true standard error. Where there is none,
    nothing is caught.
    """
    lines: list[str] = []
    with LOCK, contextlib.ExitStack() as stack:
        stack.enter_context(_logged(lines))
        try:
            true = os.dup(2)
        except OSError:
            yield lines
            return
        stack.callback(os.close, true)
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # no room, or no place for it
            yield lines
            return
        python = sys.stderr
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if python.fileno() == 2:
                python.flush()
                sys.stderr = os.fdopen(os.dup(true), "w", 1, encoding=python.encoding, errors="backslashreplace")
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            if sys.stderr is not python:
                with contextlib.suppress(OSError):
                    sys.stderr.close()
                sys.stderr = python
            os.dup2(true, 2)
            file.seek(0)
            for line in file.read(MOST).splitlines(keepends=True):
                if UNABLE in line:
                    continue
                if SAID.match(line):
                    lines.append(" ".join(line.decode(errors="replace").split()))
                else:
                    with contextlib.suppress(OSError):
                        os.write(2, line)
            lines[:] = dict.fromkeys(lines)


@contextlib.contextmanager
def _logged(lines: list[str]) -> Iterator[None]:
    """Gather what libraries log."""

    class Gatherer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(" ".join(record.getMessage().split()))

    handler = Gatherer(logging.WARNING)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagated in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagated


def damage_of(lines: list[str], parts: list[bytes]) -> str | None:
    """Return what of it says that the pixels of one of the JPEGs are damaged. Bytes of padding before its end are none."""
    for line in lines:
        padded = re.match(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9", line)
        if padded and any(_is_padding(data, int(padded[1])) for data in parts):
            continue
        if line.startswith(DAMAGE):
            return line
    return None


def _is_padding(data: bytes, count: int) -> bool:
    end = data.rfind(b"\xff\xd9")
    return 0 < count <= end and set(data[end - count : end]) <= {0, 255}
