"""What somebody types who has not read the manual, and what is told while many pictures pass by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.batch.plan import Files, Job
from irflow_cli.batch.store import Outcome
from irflow_cli.bench.metrics import doubts
from irflow_cli.cli.console import Console
from irflow_cli.cli.tally import ALIKE, Tally


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("https://example.org/a.jpg",), "is an address"),
        (("S3://bucket/a.png",), "is an address"),
        (("a.png", "out.png"), "--output"),
    ],
)
def test_what_is_no_picture_gets_a_hint(irflow, picture_file, tmp_path: Path, monkeypatch, arguments, said: str) -> None:
    picture_file("a.png", 24, 32)
    monkeypatch.chdir(tmp_path)
    done = irflow("restore", *arguments, "--task", "derain")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert said in done.err


def test_models_alone_lists_and_an_unknown_task_offers_what_ships(irflow) -> None:
    alone = irflow("models")
    assert alone.code == 0
    assert alone.out == irflow("models", "list").out
    unknown = irflow("restore", "a.png", "--task", "rain").err
    assert "derain, denoise, deraindrop" in unknown
    assert "all-in-one" not in unknown


@pytest.mark.parametrize("colour", ["magenta", "#f0f", "#FF00FF", "ff00ff", "rgb(255,0,255)"])
def test_colours_by_any_of_their_names(irflow, tiny_checkpoint, tmp_path: Path, colour: str) -> None:
    pixels = scene(24, 32)
    pixels[5:9, 6:12] = 255, 0, 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    out = tmp_path / "out.png"
    given = ("--checkpoint", tiny_checkpoint("prior"), "-o", out)
    assert irflow("inpaint", tmp_path / "a.png", "--mask-color", colour, *given).code == 0
    changed = (np.asarray(Image.open(out)) != pixels).any(2)
    assert changed[5:9, 6:12].any()
    assert changed.sum() == changed[5:9, 6:12].sum()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_mask_painted_white_on_transparency_is_one(irflow, tiny_checkpoint, picture_file, tmp_path: Path, mode: str) -> None:
    layer = np.zeros((24, 32, 4), np.uint8)
    layer[5:9, 6:12] = 255
    Image.fromarray(layer).convert(mode).save(tmp_path / "mask.png")
    Image.fromarray(layer[..., 3]).save(tmp_path / "plain.png")
    source, results = picture_file("a.png", 24, 32), []
    for name in ("mask", "plain"):
        out = tmp_path / f"out-{name}.png"
        given = ("--checkpoint", tiny_checkpoint("prior"), "-o", out)
        assert irflow("inpaint", source, "--mask", tmp_path / f"{name}.png", *given).code == 0
        results.append(out.read_bytes())
    assert results[0] == results[1]


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


def test_more_strength_takes_out_more(irflow, tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    source, found = picture_file("a.png", 24, 32), []
    for strength in ("1", "2"):
        out = tmp_path / f"{strength}.png"
        given = ("--checkpoint", tiny_checkpoint("derain"), "--strength", strength, "-o", out)
        assert irflow("restore", source, "--task", "derain", *given).code == 0
        found.append(np.abs(np.asarray(Image.open(out), float) - np.asarray(Image.open(source), float)).mean())
    assert found[1] > 1.5 * found[0] > 0


@pytest.mark.parametrize("level", [3, 128, 252])
@pytest.mark.parametrize("seed", range(5))
def test_plain_pictures_raise_no_doubts(level: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    clean = np.clip(level + draw.normal(0, 2, (64, 64, 3)), 0, 255).astype(np.uint8)
    noisy = np.clip(clean + draw.normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
    assert doubts(noisy, clean, "input") == ()


def test_pictures_left_out_of_a_folder_are_counted_once(irflow, picture_file, tmp_path: Path) -> None:
    for name in ("in/a", "in/b.gif", "in/c.gif", "in/d.gif"):
        picture_file(name, 20, 20, format="GIF" if name.endswith("gif") else "PNG")
    alone = irflow("degrade", tmp_path / "in", "--kind", "noise", "-o", tmp_path / "out")
    assert (alone.code, "left out 4 files" in alone.err, "(a, b.gif, c.gif, ...)" in alone.err) == (3, True, True)
    picture_file("in/e.png", 20, 20)
    done = irflow("degrade", tmp_path / "in", "--kind", "noise", "-o", tmp_path / "out")
    assert (done.code, done.err.count("left out 4 files")) == (0, 1)
    assert irflow("degrade", tmp_path / "in" / "b.gif", "--kind", "noise", "-o", tmp_path / "out").code == 0


def test_help_shows_the_choices(irflow) -> None:
    text = irflow("restore", "--help").out
    for line in ("--task derain|denoise|deraindrop", "--metadata keep|strip|no-gps", "--device auto|cpu|cuda|cuda:N|mps"):
        assert line in text
