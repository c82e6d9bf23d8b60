"""Parts of a batch that several machines share: together they are the whole, and no two touch one file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_shards_together_are_the_whole_and_share_nothing(irflow, picture_file, tmp_path: Path, parts: int) -> None:
    for index in range(9):
        picture_file(f"in/{index}.png", 20 + index, 24)
    given = ("degrade", tmp_path / "in", "--kind", "noise", "--resume", "-q", "--json")
    assert irflow(*given, "-o", tmp_path / "whole").code == 0
    seen: list[str] = []
    for part in range(1, parts + 1):
        done = irflow(*given, "-o", tmp_path / "out", "--shard", f"{part}/{parts}")
        assert done.code == 0
        seen += [json.loads(line)["output"] for line in done.out.splitlines()]
    assert len(seen) == len(set(seen)) == 9
    for path in (tmp_path / "whole").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
    again = irflow(*given, "-o", tmp_path / "out")  # the records of all shards are one
    assert {json.loads(line)["status"] for line in again.out.splitlines()} == {"skipped"}


def test_a_shard_stays_the_same_while_others_work(irflow, picture_file, tmp_path: Path) -> None:
    for index in range(6):
        picture_file(f"in/{index}.png", 20, 24)
    given = ("degrade", tmp_path / "in", "--kind", "noise", "-o", tmp_path / "out")
    before = irflow(*given, "--shard", "2/3", "-n").out
    assert irflow(*given, "--shard", "1/3").code == 0
    assert irflow(*given, "--shard", "2/3", "-n").out == before


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/5", "9" * 30 + "/1"])
def test_shards_that_are_none_are_refused(irflow, picture_file, shard: str) -> None:
    done = irflow("degrade", picture_file("a.png", 20, 24), "--kind", "noise", f"--shard={shard}")
    assert (done.code, len(done.err.splitlines()), "--shard" in done.err) == (2, 1, True)
