"""What is told while many pictures pass by."""

from __future__ import annotations

from pathlib import Path

import pytest
from results import below

from irflow_cli.batch.plan import Files, Job
from irflow_cli.batch.store import Outcome
from irflow_cli.cli.console import Console
from irflow_cli.cli.tally import ALIKE, Tally
from irflow_cli.errors import DiskFull
from irflow_cli.runtime.files import write_atomically


def test_notes_that_are_alike_are_counted_and_the_end_sums_up(irflow, tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    for index in range(7):
        picture_file(f"in/{index}.png", 24, 32)
    given = ("--task", "denoise", "--checkpoint", tiny_checkpoint("denoise"))
    done = irflow("restore", tmp_path / "in", *given, "-o", tmp_path / "out")
    assert done.err.count("noise of about sigma") == ALIKE + 1
    assert f"{7 - ALIKE} more pictures" in done.err
    assert "7 pictures: 7 done" in done.err.splitlines()[-1]
    again = irflow("restore", tmp_path / "in", *given, "-o", tmp_path / "out", "--skip-existing")
    assert "7 pictures: 7 skipped" in again.err
    told = irflow("restore", tmp_path / "in", *given, "-o", tmp_path / "more", "-v")
    assert told.err.count("noise of about sigma") == 7
    assert "3 of 7" in told.err


@pytest.mark.parametrize("way", ["skip_existing", "resume"])
def test_the_time_left_is_that_of_the_pictures_there_is_work_on(way: str) -> None:
    jobs = [Job(Path(f"{index}.png"), Path(f"out/{index}.png"), exists=index < 8) for index in range(10)]
    for options, left in (({way: True}, ["4 s", "4 s", "1 s", "0 s"]), ({}, ["20 s", "4 s", "1 s", "0 s"])):
        tally = Tally(Console(quiet=True), jobs, Files(("in",), **options))
        assert "left" not in tally.at(0)
        tally.count(Outcome(jobs[0], seconds=2.0))
        assert [tally.at(done).rpartition(", ")[2] for done in (0, 8, 9.5, 10)] == [f"{time} left" for time in left]


def test_pictures_left_out_of_a_folder_are_counted_once(irflow, picture_file, tmp_path: Path) -> None:
    for name in ("in/a", "in/b.gif", "in/c.gif", "in/d.gif"):
        picture_file(name, 20, 20, format="GIF" if name.endswith("gif") else "PNG")
    alone = irflow("degrade", tmp_path / "in", "--kind", "noise", "-o", tmp_path / "out")
    assert (alone.code, "left out 4 files" in alone.err, "(a, b.gif, c.gif, ...)" in alone.err) == (3, True, True)
    picture_file("in/e.png", 20, 20)
    done = irflow("degrade", tmp_path / "in", "--kind", "noise", "-o", tmp_path / "out")
    assert (done.code, done.err.count("left out 4 files")) == (0, 1)
    assert irflow("degrade", tmp_path / "in" / "b.gif", "--kind", "noise", "-o", tmp_path / "out").code == 0


def test_an_error_that_ends_a_batch_comes_with_the_count_and_how_to_go_on(
    degrade, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(5):
        picture_file(f"in/{index}.png", 20, 20)

    def write(path: Path, data: bytes, *, overwrite: bool) -> None:
        if path.name == full:
            raise DiskFull(f"cannot write {path}: no room")
        write_atomically(path, data, overwrite=overwrite)

    monkeypatch.setattr("irflow_cli.batch.store.write_atomically", write)
    full = "0.png"
    begun = degrade(tmp_path / "in", "-o", tmp_path / "out")
    written = len(below(tmp_path / "out"))  # none, or one that was on its way when the disk was full
    assert (begun.code, begun.err.count("\n"), "no room" in begun.err) == (5, 3 if written else 1, True)
    full = "3.png"
    done = degrade(tmp_path / "in", "-o", tmp_path / "more")
    *_, count, rest, error = done.err.splitlines()
    written = len(below(tmp_path / "more"))
    assert done.code == 5 and done.err.count("5 pictures") == 2
    assert written >= 3 and f"5 pictures: {written} done, in" in count
    assert f"{5 - written} of 5 pictures left; the same command with --skip-existing goes on" in rest
    assert "no room" in error


def test_a_run_that_ends_at_a_failure_says_what_is_left(degrade, picture_file, tmp_path: Path) -> None:
    for name in "abcdefgh":
        picture_file(f"in/{name}.png", 20, 20)
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    done = degrade(tmp_path / "in", "-o", tmp_path / "out", "--fail-fast")
    left = 8 - 1 - len(below(tmp_path / "out"))
    said = f"stopped at the failure with {left} of 8 pictures left; the same command with --skip-existing goes on"
    assert (done.code, said in done.err) == (1, True), done.err


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({}, "the same command with --skip-existing goes on"),
        ({"resume": True}, "the same command goes on"),
        ({"overwrite": True}, "with --resume in place of --overwrite the same command goes on"),
    ],
)
def test_the_way_on_is_one_that_can_be_gone(options: dict, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    Tally(Console(), [Job(Path("a.png"), Path("b.png"))], Files(("in",), **options)).close(stopped=True)
    assert f"1 of 1 pictures left; {way}\n" in capsys.readouterr().err
