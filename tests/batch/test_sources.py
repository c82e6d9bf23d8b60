"""What is typed becomes pictures, and what is left out of a folder is told."""

from __future__ import annotations

from pathlib import Path

from results import below


def test_a_picture_called_as_a_result_whose_own_is_not_there_is_named(irflow, picture_file, tmp_path: Path) -> None:
    for name in ("in/a", "in/a.noise", "in/a-2.noise", "in/b.noise"):
        picture_file(f"{name}.png", 20, 20)
    done = irflow("degrade", tmp_path / "in", "--kind", "noise", "--overwrite")
    assert done.code == 0 and done.out.split() == [str(tmp_path / "in" / "a.noise.png")]
    assert done.err.count("left out a file (b.noise.png) called as results are") == 1
    alone = irflow("degrade", tmp_path / "in", "--kind", "noise", "-o", tmp_path / "out")
    assert (alone.code, "left out" in alone.err, len(below(tmp_path / "out"))) == (0, False, 4)
