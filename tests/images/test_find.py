"""Pictures are found by name."""

from __future__ import annotations

from pathlib import Path

from irflow_cli.images.find import find_others, find_pictures


def test_pictures_are_found_by_name_below_a_folder(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.JPG", "a/notes.txt", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(tmp_path)] == ["c.JPG", "b.png"]


def test_pictures_that_are_left_out_for_their_names_are_found_too(tmp_path: Path, picture_file) -> None:
    for name, kind in {"a": "PNG", "b": "JPEG", "c.gif": "GIF", "d.NEF": "TIFF", "e": "WEBP", "below/f.gif": "GIF"}.items():
        picture_file(name, 8, 8, format=kind)
    picture_file("g.png", 8, 8)
    (tmp_path / "LICENSE").write_text("GIVEN to all")
    (tmp_path / "notes.txt").write_text("GIF89a")
    assert [path.name for path in find_others(tmp_path, deep=False)] == ["a", "b", "c.gif", "d.NEF", "e"]
    assert [path.name for path in find_others(tmp_path)] == ["a", "b", "f.gif", "c.gif", "d.NEF", "e"]
