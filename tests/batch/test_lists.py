"""Lists of names: of every coding that programs write, and of none that would be misread."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from irflow_cli.batch.lists import names_in
from irflow_cli.errors import UsageError

NAMES = ["a.png", "dir/b c.png", "é 漢.png"]
MARKED = {"utf-8": b"", "utf-8-sig": b"", "utf-16": b"", "utf-32": b"", "utf-16-be": b"\xfe\xff", "utf-32-be": b"\0\0\xfe\xff"}


@pytest.mark.parametrize("coding", MARKED)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\0"])
@pytest.mark.parametrize("piped", [False, True])
def test_lists_of_every_coding_are_read(
    coding: str, end: str, piped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = MARKED[coding] + "".join(name + end for name in NAMES).encode(coding)
    path = tmp_path / "list"
    path.write_bytes(data)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "ascii"))
    assert names_in("-" if piped else str(path)) == NAMES


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be"])
def test_a_list_whose_coding_nothing_tells_is_refused(coding: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes("\n".join(["a.png", "b.png"]).encode(coding))
    with pytest.raises(UsageError, match=r"looks like UTF-16 .* save it as UTF-8"):
        names_in(str(tmp_path / "list"))


def test_a_list_that_is_half_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes("a.png".encode("utf-16")[:-1])
    with pytest.raises(UsageError, match="cannot be read"):
        names_in(str(tmp_path / "list"))
