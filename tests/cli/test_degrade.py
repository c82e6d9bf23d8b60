"""`irflow degrade`: the same picture from the same seed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.images.decode import read_picture


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_degrade_is_the_same_for_the_same_seed_and_content(kind: str, irflow, picture_file, tmp_path: Path) -> None:
    source = picture_file("clean.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "other-name.png").write_bytes(source.read_bytes())
    assert irflow("degrade", source, "-o", tmp_path / "one.png", "--kind", kind, "--seed", 5).code == 0
    assert irflow("degrade", tmp_path / "folder", "-o", tmp_path / "out", "--kind", kind, "--seed", 5).code == 0
    one = read_picture(tmp_path / "one.png").pixels
    assert np.array_equal(one, read_picture(tmp_path / "out" / "other-name.png").pixels)
    assert not np.array_equal(one, read_picture(source).pixels)
    assert irflow("degrade", source, "-o", tmp_path / "none.png", "--kind", kind, "--severity", 0).code == 0
    assert np.array_equal(read_picture(tmp_path / "none.png").pixels, read_picture(source).pixels)
    if kind != "jpeg":
        irflow("degrade", source, "-o", tmp_path / "two.png", "--kind", kind, "--seed", 6)
        assert not np.array_equal(one, read_picture(tmp_path / "two.png").pixels)


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--kind", "magic"), "unknown --kind"), (("--kind", "noise", "--severity", "90"), "--severity")],
)
def test_degrade_refuses_what_makes_no_sense(options: tuple[str, ...], message: str, irflow, picture_file) -> None:
    done = irflow("degrade", picture_file("in.png"), *options)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert message in done.err


@pytest.mark.parametrize("count", [2, 3])
def test_pictures_of_a_pattern_are_not_written_over(count: int, irflow, picture_file) -> None:
    pictures = [picture_file(f"{index}.png") for index in range(count)]
    before = [path.read_bytes() for path in pictures]
    done = irflow("degrade", *pictures, "--kind", "noise", "--overwrite")
    assert [path.read_bytes() for path in pictures] == before
    assert [Path(line).name for line in done.out.splitlines()] == [f"{index}.noise.png" for index in range(count)]


@pytest.mark.parametrize("output", [("-o", ""), ("--output=",)])
def test_an_empty_output_is_not_this_folder(output: tuple[str, ...], irflow, picture_file, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = irflow("degrade", picture_file("a.png"), *output, "--kind", "noise", "--overwrite")
    assert (done.code, "is empty; is a variable of the shell unset?" in done.err) == (2, True)
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-", "--json"), "--json has no place where the result goes to standard output"),
        (("-o", "-", "--json"), "--json has no place where the result goes to standard output"),
        (("-o", "b.png", "--suffix", ".x"), "--suffix is added to names in a folder, and b.png is one file; leave it out"),
    ],
)
def test_options_that_would_do_nothing_are_told(options: tuple[str, ...], message: str, irflow, picture_file) -> None:
    given = options if options[0] == "-" else (picture_file("a.png"), *options)
    done = irflow("degrade", *given, "--kind", "noise")
    assert (done.code, done.out) == (2, "")
    assert message in done.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have names on POSIX systems")
def test_a_pipe_is_not_replaced(irflow, picture_file, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    done = irflow("degrade", picture_file("a.png"), "-o", tmp_path / "pipe.png", "--kind", "noise", "--overwrite")
    assert (done.code, "is a pipe or a device; give another --output" in done.err) == (1, True)
    assert (tmp_path / "pipe.png").is_fifo()
