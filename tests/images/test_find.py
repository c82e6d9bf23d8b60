"""Pictures are found by name."""

from __future__ import annotations

from pathlib import Path

from irflow_cli.images.find import find_pictures


def test_pictures_are_found_by_name_below_a_folder(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.JPG", "a/notes.txt", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(tmp_path)] == ["c.JPG", "b.png"]
