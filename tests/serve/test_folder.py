"""Names inside the folder, and none outside of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irflow_cli.errors import ImageError
from irflow_cli.serve.folder import Folder, Forbidden, Taken

OUTSIDE = [
    "../secret.png",
    "below/../../secret.png",
    "/etc/hostname",
    "way-out.png",
    "..",
    "below/..",
    "a\0.png",
    "..\\secret.png",
    ".hidden",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_leads_out(photos: Path, name: str) -> None:
    with pytest.raises(Forbidden):
        Folder(photos).read(name, 2**20)
    with pytest.raises(Forbidden):
        Folder(photos).write(name, b"x", overwrite=True)


@given(st.lists(st.sampled_from(["..", ".", "a", "", "/", "b.png", "~", "...", "%2e%2e"]), max_size=6))
def test_no_way_of_names_leads_out(parts: list[str]) -> None:
    root = Path(__file__).parent
    try:
        place = Folder(root).place("/".join(parts))
    except Forbidden:
        return
    assert place.resolve().is_relative_to(root.resolve())


def test_a_linked_folder_leads_out_no_more_than_a_linked_file(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (photos / "door").symlink_to(tmp_path / "else")
    for name in ("door", "door/new.png"):
        with pytest.raises(Forbidden):
            Folder(photos).place(name)
    with pytest.raises(Forbidden):
        Folder(photos).write("door/new.png", b"x")
    assert not list((tmp_path / "else").iterdir())
    (photos / "inside.png").symlink_to(photos / "a.png")
    assert Folder(photos).read("inside.png", 2**20) == (photos / "a.png").read_bytes()


def test_a_folder_lists_pictures_and_folders(photos: Path) -> None:
    names = [(entry.path, entry.size is None) for entry in Folder(photos).list()]
    assert names == [("below", True), ("a.png", False), ("b.jpg", False), ("text.png", False)]
    assert [entry.path for entry in Folder(photos).list("below")] == ["below/c.png"]


def test_what_is_no_file_of_fitting_size_is_not_read(photos: Path) -> None:
    os.mkfifo(photos / "pipe.png")
    with (photos / "hole.png").open("wb") as file:
        file.truncate(2**27)  # of which nothing is on the disk
    for name, max_pixels in (("pipe.png", 2**20), ("gone.png", 2**20), ("below", 2**20), ("hole.png", 2**20), ("hole.png", 10)):
        with pytest.raises(ImageError, match=f"^{name}: "):
            Folder(photos).read(name, max_pixels)


def test_writing_keeps_to_the_rules(photos: Path) -> None:
    before = (photos / "a.png").read_bytes()
    with pytest.raises(Taken):
        Folder(photos).write("a.png", b"new")
    with pytest.raises(Forbidden):
        Folder(photos, read_only=True).write("new.png", b"new")
    with pytest.raises(Forbidden):
        Folder(photos).write("script.py", b"new")
    assert (photos / "a.png").read_bytes() == before and not (photos / "new.png").exists()
    assert Folder(photos).write("below/new.png", b"new").read_bytes() == b"new"
    assert Folder(photos).write("a.png", b"new", overwrite=True).read_bytes() == b"new"


def test_a_name_that_begins_like_an_option_is_shown_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Folder(Path()).shown("-o.png") == "./-o.png"
    assert Folder(Path()).shown("a.png") == "a.png"


def test_a_name_too_long_for_the_disk_is_one_line(photos: Path) -> None:
    with pytest.raises(ImageError, match="name"):
        Folder(photos).write("y" * 300 + ".png", b"a")
