"""Pairs as people lay them out, and a task of one's own from folder to restored picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image

from irflow_cli.bench.sets import cases_of, find_samples
from irflow_cli.cli.app import run
from irflow_cli.errors import UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.training.dataset import load_corpus
from irflow_cli.training.pairs import find_pairs, has_pairs

# Files of a set by where they lie: clean -> its degraded ones.
SETS = {
    "own": {"clean/a.png": ["degraded/a.png"], "clean/b/c.png": ["degraded/b/c.jpg"]},
    "RESIDE ITS": {"clear/1.png": ["hazy/1_1_0.90.png", "hazy/1_2_0.80.png"], "clear/10.png": ["hazy/10_1_0.7.png"]},
    "RESIDE SOTS": {"outdoor/gt/0001.png": ["outdoor/hazy/0001_0.8_0.2.jpg"]},
    "GoPro": {"s1/sharp/000047.png": ["s1/blur/000047.png"], "s2/sharp/000047.png": ["s2/blur/000047.png"]},
    "LOL": {"our485/high/2.png": ["our485/low/2.png"]},
    "DIV2K": {"DIV2K_train_HR/0001.png": ["DIV2K_train_LR_bicubic/X4/0001x4.png"]},
    "RainDrop": {"gt/0_clean.png": ["data/0_rain.png"], "gt/1_clean.png": ["data/1_rain.png"]},
    "Rain100": {"norain/norain-1.png": ["rain/rain-1.png"], "norain/norain-2.png": ["rain/rain-2.png"]},
    "FiveK": {"expertC/a0001.jpg": ["input/a0001.jpg"]},
}


@pytest.mark.parametrize("name", SETS)
def test_usual_layouts_are_known_and_nothing_is_mispaired(tmp_path: Path, name: str) -> None:
    expected = [(clean, degraded) for clean, several in SETS[name].items() for degraded in several]
    small = 4 if name == "DIV2K" else 1
    for place in {place for pair in expected for place in pair}:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        few = small if "LR" in place else 1
        Image.fromarray(scene(40 // few, 60 // few)).save(tmp_path / place)
    found = [
        (p.clean.relative_to(tmp_path).as_posix(), p.degraded.relative_to(tmp_path).as_posix()) for p in find_pairs(tmp_path)
    ]
    assert sorted(found) == sorted(expected)
    samples = find_samples(tmp_path, paired=True)  # what trains can be measured
    assert sorted((s.clean, s.degraded) for s in samples) == sorted((p.clean, p.degraded) for p in find_pairs(tmp_path))
    assert all(case.degraded.shape == case.clean.shape for sample in samples for case in cases_of(sample, ()))
    training, held_out, *_ = load_corpus(tmp_path, 16, torch.device("cpu"))
    assert training.paired and len(training) + len(held_out) >= len(expected)
    for gone in expected[0] if all(len(several) == 1 for several in SETS[name].values()) else expected[0][:1]:
        (tmp_path / gone).rename(tmp_path / "gone")
        with pytest.raises(UsageError, match="has no partner in"):
            find_pairs(tmp_path)
        (tmp_path / "gone").rename(tmp_path / gone)


def test_pictures_alone_are_no_pairs(tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    assert not has_pairs(tmp_path) and find_pairs(tmp_path) == []


def cast(pixels: np.ndarray) -> np.ndarray:
    """Return a picture as a faded print has it: pale, and yellow."""
    return (40 + pixels * np.array([0.75, 0.65, 0.4])).round().astype(np.uint8)


def test_a_task_of_ones_own_is_trained_and_restores(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for seed in range(12):
        for name, pixels in (("clean", scene(96, 96, seed)), ("degraded", cast(scene(96, 96, seed)))):
            (tmp_path / "pairs" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "pairs" / name / f"{seed}.png")
    options = "--task unfade --size small --iterations 60 --batch 4 --crop 32 --warmup 5 --decay 0.5 --validate-every 60"
    out = str(tmp_path / "run")
    assert run(["train", str(tmp_path / "pairs"), "-o", out, *options.split(), "--device", "cpu", "--seed", "1", "-q"]) == 0
    clean, faded = scene(96, 128, 50), tmp_path / "faded.png"
    Image.fromarray(cast(clean)).save(faded)
    best = str(tmp_path / "run" / "best.safetensors")
    assert run(["restore", str(faded), "--checkpoint", best, "-q"]) == 0
    restored = read_picture(tmp_path / "faded.unfade.png").pixels
    before, after = (np.abs(pixels.astype(float) - clean).mean() for pixels in (cast(clean), restored))
    assert after < before / 4
    capfd.readouterr()
    measured = ["bench", str(tmp_path / "pairs"), "--checkpoint", best, "--metrics", "psnr", "--json", "-q"]
    assert run(measured) == 0  # the task is on the card
    psnr = {row["method"]: row["psnr"] for row in map(json.loads, capfd.readouterr().out.splitlines())}
    assert psnr["irflow"] > psnr["input"] + 6
    assert run(["bench", str(tmp_path / "pairs"), "--task", "unfade"]) == 2
    assert "one of your own needs its --checkpoint" in capfd.readouterr().err
    for wrong, said in (
        (["--task", "derain", "--checkpoint", best], "was trained for unfade, not for derain"),
        (["--task", "unfade"], "one of your own needs its --checkpoint"),
        ([], "give --task"),
    ):
        assert run(["restore", str(faded), *wrong, "--overwrite"]) in (2, 4)
        told = capfd.readouterr().err.splitlines()
        assert len(told) == 1 and said in told[0]
