"""What is read and where results go, decided before any work."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
from drawn import scene
from PIL import Image
from results import below

from irflow_cli.engines.backends import choice


def test_folders_are_flat_unless_asked(degrade, album: Path, tmp_path: Path) -> None:
    assert degrade(album, "-o", tmp_path / "flat").code == 0
    assert below(tmp_path / "flat") == ["a.png", "b.jpg"]
    assert degrade(album, "-o", tmp_path / "deep", "-r").code == 0
    assert below(tmp_path / "deep") == ["a.png", "b.jpg", "below/c.webp"]


def test_a_folder_of_folders_says_how_to_look_below(degrade, picture_file, tmp_path: Path) -> None:
    picture_file("outer/inner/a.png")
    done = degrade(tmp_path / "outer", "-o", tmp_path / "out")
    assert (done.code, "-r" in done.err) == (3, True)


def test_patterns_and_lists(restore, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert restore("album/*.png", "album/**/c.*", "-o", "globbed").code == 0
    assert below(tmp_path / "globbed") == ["a.png", "c.webp"]
    assert restore("al*", "-o", "folders").code == 0  # as the shell would give it
    assert below(tmp_path / "folders") == ["a.png", "b.jpg"]
    (tmp_path / "list.txt").write_text("album/a.png\n\nalbum/b.jpg\n")
    (tmp_path / "zero.txt").write_bytes(b"album/a.png\0album/below/c.webp\0")
    assert restore("@list.txt", "-o", "listed").code == 0
    assert below(tmp_path / "listed") == ["a.png", "b.jpg"]
    assert restore("@zero.txt", "-o", "zeros").code == 0
    assert below(tmp_path / "zeros") == ["a.png", "c.webp"]
    assert restore("@none.txt").code == 2
    picture = scene(8, 8)
    Image.fromarray(picture).save("@real.png")
    assert restore("@real.png").out == "@real.derain.png\n"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{stem}-clean{ext}", "a-clean.png"),
        ("{index:03d}_{parent}{suffix}{ext}", "000_album.derain.png"),
        ("x/{stem}{ext}", "x/a.png"),
    ],
)
def test_names_follow_the_template(restore, album: Path, tmp_path: Path, template: str, expected: str) -> None:
    assert restore(album / "a.png", "-o", tmp_path / "out", "--name-template", template).code == 0
    assert below(tmp_path / "out") == [expected]


REFUSED = {
    "unknown field": (("--name-template", "{colour}.png"), "{stem}"),
    "broken template": (("--name-template", "{stem"), "not understood"),
    "dot before the ending": (("--name-template", "{stem}-x.{ext}"), "a dot too many"),
    "field in a field": (("--name-template", "{stem:{foo}}{ext}"), "not understood"),
    "field of a field": (("--name-template", "{index:{parent.x}}{ext}"), "not understood"),
    "template without an ending": (("--name-template", "{stem}"), "{ext}"),
    "template that leaves": (("--name-template", "../{stem}{ext}"), "inside the output folder"),
    "one name for all": (("--name-template", "same{ext}", "--format", "png"), "--name-template"),
    "unknown format": (("--format", "gif"), "avif"),
    "quality": (("--quality", "0"), "1 to 100"),
    "two wishes": (("--quality", "90", "--lossless"), "contradict"),
    "two more": (("--overwrite", "--resume"), "contradict"),
    "metadata": (("--metadata", "some"), "no-gps"),
    "max pixels": (("--max-pixels", "0"), "--max-pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_requests_that_make_no_sense_do_nothing(restore, album: Path, tmp_path: Path, name: str) -> None:
    options, message = REFUSED[name]
    done = restore(album, "-o", tmp_path / "out", *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_an_output_of_an_unknown_format_is_no_folder(restore, album: Path, tmp_path: Path) -> None:
    done = restore(album / "a.png", "-o", tmp_path / "out.gif")
    assert (done.code, "make it first" in done.err) == (2, True)


def test_a_dry_run_tells_and_does_nothing(restore, album: Path, tmp_path: Path) -> None:
    before = below(tmp_path)
    done = restore(album, "-n", "-r", "--json")
    assert done.code == 0
    planned = [json.loads(line) for line in done.out.splitlines()]
    assert [Path(line["output"]).name for line in planned] == ["a.derain.png", "b.derain.jpg", "c.derain.webp"]
    assert below(tmp_path) == before


@pytest.mark.parametrize(
    ("option", "code"),
    [(("--checkpoint", "denoise"), 4), (("--checkpoint", "gone.safetensors"), 4), (("--device", "cuda:99"), 5)],
)
def test_a_dry_run_fails_where_the_run_would(irflow, album: Path, option: tuple[str, str], code: int) -> None:
    done, real = (irflow("restore", album, "--task", "derain", *option, *more) for more in (("-n",), ()))
    assert (done.code, done.out, done.err) == (code, "", real.err)
    assert real.code == code


def test_a_dry_run_tries_no_engine(restore, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    monkeypatch.setattr(choice, "tried", lambda *asked: looked.append(asked) or ([choice.Trial("torch", "fp32")], False))
    assert (restore(album / "a.png", "-n").code, len(looked)) == (0, 0)
    assert (restore(album / "a.png").code, len(looked)) == (0, 1)


def test_a_dry_run_finds_a_folder_that_takes_nothing(restore, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, access = album.parent / "closed", os.access
    closed.mkdir()
    monkeypatch.setattr(os, "access", lambda place, asked: Path(place) != closed and access(place, asked))
    done = restore(album / "a.png", "-n", "-o", closed / "new" / "a.png")
    assert (done.code, done.out) == (1, "")
    assert "Permission denied; give another --output" in done.err
    assert restore(album / "a.png", "-n", "-o", album / "new" / "a.png").code == 0


def test_a_dry_run_tells_what_would_be_skipped(restore, album: Path) -> None:
    assert restore(album / "a.png").code == 0
    done = restore(album / "a.png", album / "b.jpg", "--skip-existing", "-n")
    assert "a.derain.png: already there, skipped" in done.err
    assert f"-> {album / 'b.derain.jpg'}" in done.out


def test_results_that_exist_can_be_skipped(restore, album: Path) -> None:
    (album / "a.derain.png").write_text("mine")
    done = restore(album, "--skip-existing", "--json")
    assert done.code == 0
    assert [json.loads(line)["status"] for line in done.out.splitlines()] == ["skipped", "done"]
    assert (album / "a.derain.png").read_text() == "mine"


def test_a_list_may_come_through_a_pipe(degrade, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{album / 'a.png'}\n{album / 'b.jpg'}\n"))
    assert degrade("@-", "-o", tmp_path / "out").code == 0
    assert below(tmp_path / "out") == ["a.png", "b.jpg"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-o", "o.jpg", "--format", "png"), "contradict each other"),
        (("--name-template", "{stem}.png", "--format", "jpg"), "contradict each other"),
    ],
)
def test_a_format_and_a_name_that_contradict_each_other_are_refused(restore, album: Path, options: tuple, told: str) -> None:
    done = restore(album / "a.png", *options)
    assert (done.code, told in done.err) == (2, True)


def test_names_that_cannot_be_followed_are_one_line(restore, tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name in (tmp_path / "loop.png", tmp_path / ("x" * 300 + ".png")):
        done = restore(name, "-o", tmp_path / "out")
        assert done.code in (1, 2)
        assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["späte Äpfel.png", "with space.png", "new\nline.png", "-dash.png", "[brackets].png", "a.b.c.png"]
)
def test_odd_names_work(degrade, picture_file, tmp_path: Path, name: str) -> None:
    picture_file(f"in/{name}")
    assert degrade(tmp_path / "in" / name, "-o", tmp_path / "out").code == 0
    assert below(tmp_path / "out") == [name]


def test_a_pattern_that_matches_nothing_is_told(degrade, album: Path, tmp_path: Path) -> None:
    alone = degrade(tmp_path / "in*" / "*.webp", "-o", tmp_path / "out")
    assert (alone.code, len(alone.err.splitlines())) == (3, 1)
    beside = degrade("@" + str(tmp_path / "list.txt"), "-o", tmp_path / "out") if _list(tmp_path, album) else None
    assert beside is not None
    assert (beside.code, below(tmp_path / "out")) == (1, ["a.png"])
    assert "*.webp" in beside.err


def _list(tmp_path: Path, album: Path) -> bool:
    return bool((tmp_path / "list.txt").write_text(f"{album / 'a.png'}\n{album / '*.webp'}\n"))


def test_pictures_under_rarer_names_are_found(degrade, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.jfif", "b.JPE"):
        Image.fromarray(scene(20, 20)).save(tmp_path / "in" / name, "JPEG")
    assert degrade(tmp_path / "in", "-o", tmp_path / "out").code == 0
    assert below(tmp_path / "out") == ["a.jfif", "b.JPE"]


def test_links_and_loops(degrade, album: Path, tmp_path: Path) -> None:
    (album / "loop").symlink_to(album, target_is_directory=True)
    (album / "linked.png").symlink_to(album / "a.png")
    (album / "dangling.png").symlink_to(album / "nothing.png")
    assert degrade(album, "-o", tmp_path / "out", "-r").code == 0
    assert below(tmp_path / "out") == ["a.png", "b.jpg", "below/c.webp", "linked.png"]


def test_pictures_whose_names_end_as_a_suffix_are_pictures(degrade, picture_file, tmp_path: Path, irflow) -> None:
    for name in ("img1", "img2", "img"):
        picture_file(f"in/{name}.png")
    (tmp_path / "in" / "img.png").rename(tmp_path / "in" / "cat2.png")
    command = ("degrade", tmp_path / "in", "--kind", "noise", "--suffix", "2")
    assert irflow(*command).code == 0
    names = ["cat2.png", "cat22.png", "img1.png", "img12.png", "img2.png", "img22.png"]
    assert below(tmp_path / "in") == names
    assert irflow(*command, "--overwrite").code == 0  # results are not worked on again
    assert below(tmp_path / "in") == names


@pytest.mark.parametrize("option", ["--suffix", "--name-template"])
@pytest.mark.parametrize("text", ["\x00x", "\x1b[2J", "a\nb"])
def test_a_name_cannot_be_given_what_is_not_seen(irflow, album: Path, tmp_path: Path, option: str, text: str) -> None:
    done = irflow("degrade", album, "--kind", "noise", option, text, "-o", tmp_path / "out")
    assert done.code == 2
    assert option in done.err
    assert "cannot be seen" in done.err


def test_a_suffix_counts_in_another_folder_too(irflow, album: Path, tmp_path: Path) -> None:
    command = ("degrade", album / "a.png", album / "b.jpg", "--kind", "noise", "-o", tmp_path / "out")
    assert irflow(*command, "--suffix", "_x").code == 0
    assert below(tmp_path / "out") == ["a_x.png", "b_x.jpg"]


def test_degrade_takes_several_pictures(irflow, album: Path, tmp_path: Path) -> None:
    assert irflow("degrade", album / "a.png", album / "b.jpg", "-o", tmp_path / "out", "--kind", "noise").code == 0
    assert below(tmp_path / "out") == ["a.png", "b.jpg"]
    assert irflow("degrade", album / "a.png", "--kind", "noise").code == 0
    assert (album / "a.noise.png").exists()


def test_names_that_say_nothing_are_refused(irflow, album: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(album)
    done = irflow("degrade", "", "--kind", "noise")
    assert (done.code, "a name is empty" in done.err) == (2, True)
    (tmp_path / "plain").write_text("a file")
    for more in ((), ("-n",)):
        done = irflow("degrade", "a.png", "-o", tmp_path / "plain" / "out", "--kind", "noise", *more)
        assert (done.code, "is no folder" in done.err) == (2, True)
    (album / "-").mkdir()
    assert irflow("degrade", "./-", "--kind", "noise").code == 3  # a folder without pictures, and no stream


def test_a_dry_run_tells_what_is_missing(degrade, album: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"\ufeff{album / 'a.png'}\n{album / 'gone.png'}\n", encoding="utf-8")
    done = degrade(f"@{tmp_path / 'list.txt'}", "-o", tmp_path / "out", "-n")
    assert (done.code, done.out.splitlines()) == (1, [f"{album / 'a.png'} -> {tmp_path / 'out' / 'a.png'}"])
    assert "gone.png: No such file" in done.err


def test_links_that_lead_back_are_one_picture_for_a_pattern(degrade, album: Path, tmp_path: Path) -> None:
    (album / "loop").symlink_to(album, target_is_directory=True)
    assert degrade(f"{album}/**/*.png", "-o", tmp_path / "out").code == 0
    assert below(tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "a.png exists; use --overwrite"),
        (("--skip-existing",), 0, "already there, skipped"),
        (("--resume",), 1, "a.png exists and no record says that irflow made it"),
        (("--overwrite",), 0, "2 done"),
    ],
)
def test_a_link_that_leads_nowhere_is_a_result_that_exists(
    degrade, album: Path, tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "gone.png")
    done = degrade(album, "-o", tmp_path / "out", *options)
    assert (done.code, said in done.err) == (code, True)
    assert (tmp_path / "out" / "a.png").is_symlink() == ("--overwrite" not in options)
    assert (tmp_path / "out" / "b.jpg").exists() == (code < 2)
    assert not (tmp_path / "gone.png").exists()


def test_results_in_a_folder_among_the_pictures_are_no_input(degrade, album: Path, tmp_path: Path) -> None:
    """A second run would work on the first one's results, and put theirs a folder deeper."""
    for _ in range(2):
        assert degrade(album, "-o", album / "results", "-r", "--overwrite").code == 0
    made = {path.relative_to(album / "results") for path in (album / "results").rglob("*.png")}
    assert made == {path.relative_to(album) for path in album.rglob("*.png") if "results" not in path.parts}


@pytest.mark.parametrize("option", [(), ("--skip-existing",), ("--resume",), ("-n", "--skip-existing")])
def test_a_folder_is_not_its_own_output(option: tuple, degrade, picture_file, tmp_path: Path) -> None:
    picture_file("in/a.png", 20, 20)
    done = degrade(tmp_path / "in", "-o", tmp_path / "in", *option)
    assert (done.code, "is an input; give another output" in done.err) == (2, True)


@pytest.mark.parametrize(
    "given",
    [
        ("in", "-o", "out", "--suffix", ".x", "--name-template", "{stem}{ext}"),
        ("-", "--suffix", ".x"),
        ("-", "--name-template", "a.png"),
    ],
)
def test_names_without_a_place_are_refused(given: tuple, degrade, picture_file, tmp_path: Path) -> None:
    picture_file("in/a.png", 20, 20)
    done = degrade(*(tmp_path / name if name in ("in", "out") else name for name in given))
    assert (done.code, "leave " in done.err, done.err.count("\n")) == (2, True, 1)
