"""What somebody types who has not read the manual, and what is told while many pictures pass by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image


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


def test_more_strength_takes_out_more(irflow, tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    source, found = picture_file("a.png", 24, 32), []
    for strength in ("1", "2"):
        out = tmp_path / f"{strength}.png"
        given = ("--checkpoint", tiny_checkpoint("derain"), "--strength", strength, "-o", out)
        assert irflow("restore", source, "--task", "derain", *given).code == 0
        found.append(np.abs(np.asarray(Image.open(out), float) - np.asarray(Image.open(source), float)).mean())
    assert found[1] > 1.5 * found[0] > 0


def test_help_shows_the_choices(irflow) -> None:
    text = irflow("restore", "--help").out
    for line in ("--task derain|denoise|deraindrop", "--metadata keep|strip|no-gps", "--device auto|cpu|cuda|cuda:N|mps"):
        assert line in text
