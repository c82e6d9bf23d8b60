"""Files that are no files, or larger than their kind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from irflow_cli.bench.metrics import Scores
from irflow_cli.bench.records import Record
from irflow_cli.bench.run import _append
from irflow_cli.errors import ImageError
from irflow_cli.regular import read_regular


@pytest.mark.skipif(os.name != "posix", reason="pipes have names on POSIX systems")
@pytest.mark.parametrize("kind", ["pipe", "/dev/null", "link to a file"])
def test_what_is_added_to_is_a_file(kind: str, tmp_path: Path) -> None:
    """Lines of results and logs of runs are added; a pipe without a reader waits for ever, and a link leads elsewhere."""
    path = tmp_path / "results.jsonl"
    (tmp_path / "theirs").write_text("kept\n")
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/null" if kind == "/dev/null" else "theirs")
    with pytest.raises(ImageError, match=r"cannot write .*results\.jsonl"):
        _append(path, Record("a.png", "input", 0, Scores()))
    assert (tmp_path / "theirs").read_text() == "kept\n"


def test_a_file_that_is_larger_than_its_kind_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="larger than 1 KiB"):
        read_regular(path, 1024)
    path.write_bytes(bytes(1024))
    assert read_regular(path, 1024) == bytes(1024)
