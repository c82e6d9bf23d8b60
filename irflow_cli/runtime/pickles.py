"""What a file of PyTorch's format would cost, counted before any of it is unpacked or unpickled.

torch.load with weights_only executes nothing, but it unpacks whatever an archive holds, and hashes what is a key: a file of
a few kilobytes can ask for gigabytes and for years. What torch.save writes does neither.
"""

from __future__ import annotations

import io
import os
import pickletools
import zipfile
from pathlib import Path
from typing import BinaryIO

from irflow_cli.regular import open_regular

LARGEST = 2**32  # bytes of a file
MOST = 2**21  # bytes of a pickle, which has 150 for each tensor
HEAVY = 10**5  # values in a tuple, those of tuples within it counted each time
ARCHIVE, PICKLE = b"PK\x03\x04", b"\x80"  # how the two formats begin
CONTENTS, CONTENTS64 = b"PK\x05\x06", b"PK\x06\x06"  # what stands after an archive's table of contents, before its size
TABLE = 2**22  # bytes of a table of contents, of which each entry takes more than ten times as many to read
OLD = 5  # pickles at the beginning of the format without an archive

PUSH = {
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1", "BINUNICODE", "SHORT_BINSTRING"),
    *("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "EMPTY_TUPLE", "GLOBAL"),
}
POPS = {"BUILD": 1, "APPEND": 1, "SETITEM": 2}  # values that are taken, into what lies below them
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "REDUCE": 2, "NEWOBJ": 2, "BINPERSID": 1}  # values that become one


def check_cost(path: Path) -> None:
    """Raise ValueError, with the reason, unless a file is of one of PyTorch's two formats and costs about its size to read.

    Raises OSError where it cannot be read.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST / 2**20:.0f} MiB")
        start = file.read(len(ARCHIVE))
        if start == ARCHIVE:
            _check_archive(file)
        elif start[:1] == PICKLE:
            file.seek(0)
            beginning = io.BytesIO(file.read(MOST))
            for number in range(OLD):
                if number == 0 or beginning.tell() < len(beginning.getvalue()):
                    _check_pickle(beginning)
        else:
            raise ValueError("it is not of PyTorch's format")


def _check_archive(file: BinaryIO) -> None:
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - 2**16 - 22))
    end = file.read()
    if end.count(CONTENTS) != 1 or end.count(CONTENTS64) > 1:  # readers would differ in which one they follow
        raise ValueError("its table of contents is missing or there twice")
    if max(_table_of(end, CONTENTS, 12, 4), _table_of(end, CONTENTS64, 40, 8)) > TABLE:
        raise ValueError(f"its table of contents has more than {TABLE} bytes")
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise ValueError("its parts are compressed, which torch.save does not do")
        if sum(part.file_size for part in parts) > size:
            raise ValueError("its parts are together larger than itself")
        for part in parts:
            if part.filename.endswith(".pkl"):
                if part.file_size > MOST:
                    raise ValueError(f"its pickle has more than {MOST} bytes")
                _check_pickle(io.BytesIO(archive.read(part)))


def _table_of(end: bytes, mark: bytes, place: int, width: int) -> int:
    """Return how many bytes the table of contents has, as what follows the mark says; 0 without the mark."""
    start = end.find(mark)
    return 0 if start < 0 else int.from_bytes(end[start + place : start + place + width], "little")


def _check_pickle(stream: io.BytesIO) -> None:
    """Raise ValueError for a pickle whose tuples repeat each other without bound, or with what torch.load does not know.

    The pickle is walked through with the weight of every value in the place of the value. Lists and dictionaries, which
    may hold themselves, weigh one: no key can be made of them.
    """
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[object, int] = {}
    try:
        for operation, argument, _ in pickletools.genops(stream):
            name = operation.name
            if name in PUSH:
                stack.append(1)
            elif name == "MARK":
                marks.append(len(stack))
            elif name in TUPLES:
                stack[-TUPLES[name] :] = [1 + sum(stack[-TUPLES[name] :])]
            elif name in ("TUPLE", "APPENDS", "SETITEMS"):
                start = marks.pop()
                stack[start:] = [1 + sum(stack[start:])] if name == "TUPLE" else []
            elif name in POPS:
                del stack[-POPS[name] :]
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif name not in ("PROTO", "STOP"):
                raise ValueError(f"its pickle has {name}, which files of weights do not need")
            if stack and stack[-1] > HEAVY:
                raise ValueError("its tuples hold each other too often")
    except (IndexError, KeyError):
        raise ValueError("its pickle takes more than it has") from None
