"""Lists of the names of pictures, a line each or with NUL between them, from a file or standard input."""

from __future__ import annotations

import codecs
import functools
import re
import sys
from pathlib import Path
from typing import TextIO

from irflow_cli.errors import UsageError
from irflow_cli.regular import read_regular

LIST = 2**28  # bytes of a list, some millions of names
WIDE = {  # codings by the marks that they begin with, the longer ones first: one begins with the other
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@functools.lru_cache(maxsize=1)
def _piped(stream: TextIO) -> bytes:
    """Return what a stream holds, read once, for a request may be planned more than once."""
    return stream.buffer.read() if hasattr(stream, "buffer") else stream.read().encode("utf-8", "surrogateescape")


def names_in(name: str) -> list[str]:
    """Return the names in a list, `-` for standard input, in UTF-8, or in UTF-16 or UTF-32 with a mark that says so. Raises
    UsageError where it cannot be read."""
    if name == "-" and sys.stdin is None:
        raise UsageError("the list - cannot be read: standard input is closed")
    try:
        data = _piped(sys.stdin) if name == "-" else read_regular(Path(name), LIST)
        wide = next((coding for mark, coding in WIDE.items() if data.startswith(mark)), None)
        text = data.decode(wide) if wide else data.decode("utf-8-sig", "surrogateescape")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the list {name} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if wide is None and "\0\0" not in text and text.count("\0") > len(text) // 3:
        raise UsageError(f"the list {name} looks like UTF-16 without a mark that says so; save it as UTF-8")
    return [line for line in (text.split("\0") if "\0" in text else re.split(r"\r?\n|\r", text)) if line.strip()]
