"""`irflow bench`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import scene
from loaded import installed
from PIL import Image

from irflow_cli.images.picture import Picture
from irflow_cli.nets import PriorSpec, build
from irflow_cli.runtime.checkpoints import Card, save_checkpoint


def test_data_and_task_must_be_given(irflow, pairs) -> None:
    assert irflow("bench", pairs).code == irflow("bench", "--task", "derain").code == 2


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for seed in range(2):
        for name, pixels in (("clean", scene(64, 72, seed)), ("degraded", scene(64, 72, seed) // 2)):
            (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{seed}.png")
    return tmp_path / "set"


def test_bench_measures_pairs_by_name(pairs: Path, irflow, tiny_checkpoint) -> None:
    base = ("bench", pairs, "--task", "derain", "--checkpoint", tiny_checkpoint("derain"))
    table = irflow(*base, "--steps", "1,2")
    assert table.code == 0
    assert [line.split("|")[1].strip() for line in table.out.splitlines()[2:]] == ["input", "derain, 1 step", "derain, 2 steps"]
    rows = [json.loads(line) for line in irflow(*base, "--json").out.splitlines()]
    assert [(row["picture"], row["method"]) for row in rows] == [
        ("0", "input"),
        ("0", "irflow"),
        ("1", "input"),
        ("1", "irflow"),
    ]
    clean, degraded = scene(64, 72, 0) / 255, (scene(64, 72, 0) // 2) / 255
    assert rows[0]["psnr"] == pytest.approx(-10 * np.log10(((clean - degraded) ** 2).mean()), abs=1e-4)
    (pairs / "degraded" / "1.png").rename(pairs / "degraded" / "9.png")
    missing = irflow(*base)
    assert missing.code == 2
    assert "no partner" in missing.err


def test_bench_degrades_by_the_pictures_content(pairs: Path, irflow, tiny_checkpoint) -> None:
    base = ("bench", pairs, "--task", "denoise", "--checkpoint", tiny_checkpoint("denoise"), "--degrade")
    rows = [json.loads(line) for line in irflow(*base, "noise:25", "--json").out.splitlines()]

    clean = torch.from_numpy(scene(64, 72, 1) / 255).permute(2, 0, 1)[None].float()
    seed = Picture(scene(64, 72, 1), None, "PNG").seed(0)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    noisy = ((clean + 25 / 255 * noise).clamp(0, 1) * 255).round() / 255
    assert rows[2]["psnr"] == pytest.approx(-10 * float((noisy - clean).square().mean().log10()), abs=1e-3)
    assert irflow(*base, "magic:1").code == 2
    assert irflow(*base, "noise:400").code == 2


def test_bench_says_once_what_is_not_computed_as_asked(pairs: Path, irflow, tmp_path: Path) -> None:
    spec = PriorSpec(width=32, multipliers=(1, 2), blocks=1, attention=(), size=16)
    theirs = tmp_path / "theirs.safetensors"
    save_checkpoint(theirs, build(spec).state_dict(), Card("prior", spec, predicts="velocity"))
    asked = ("--engine", installed("onnxruntime"), "--precision", "auto", "--presets", "hqs:1:0:0.9,hqs:2:0:0.9")
    data = ("bench", pairs / "clean", "--task", "upscale", "--degrade", "area:2", "--metrics", "psnr", "--crop", 32)
    done = irflow(*data, "--checkpoint", theirs, *asked)
    assert done.code == 0, done.err
    assert done.err.count("third-party networks are computed by torch") == 1
