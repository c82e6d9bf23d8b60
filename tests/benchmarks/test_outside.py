"""The gain on what was never seen, beside a baseline that was trained the plain way."""

from __future__ import annotations

from pathlib import Path

import outside
from drawn import scene
from PIL import Image

from irflow_cli.bench.metrics import Scores
from irflow_cli.bench.records import Record


def test_gains_are_signed_so_that_more_is_better() -> None:
    records = [
        Record("a", "input", 0, Scores(psnr=20.0, flip=0.4), degrade="grain"),
        Record("a", "irflow", 2, Scores(psnr=23.5, flip=0.1), degrade="grain"),
        Record("a", "plain", 1, Scores(psnr=19.0, flip=0.5), degrade="grain"),
    ]
    header, ours, plain = outside.gain_table(records)
    assert header == ["unseen degradation", "method", "PSNR, gain", "FLIP, gain"]
    assert ours == ["grain", "irflow, 2 steps", "+3.50", "+0.3000"]
    assert plain == ["grain", "plain, 1 step", "-1.00", "-0.1000"]


def test_the_baseline_is_trained_and_stands_in_the_table(tmp_path: Path, tiny_checkpoint, capsys) -> None:
    (tmp_path / "set").mkdir()
    for seed in range(4):
        Image.fromarray(scene(48, 48, seed)).save(tmp_path / "set" / f"{seed}.png")
    start = str(tiny_checkpoint("derain"))
    options = ["--task", "derain", "--minutes", "0.02", "--init", start, "--batch", "2", "--crop", "32"]
    assert outside.main(["plain", str(tmp_path / "set"), str(tmp_path / "run"), *options]) == 0
    trained = Path(capsys.readouterr().out.strip())
    shown = ["table", str(tmp_path / "set"), "--task", "derain", "--crop", "32", "--checkpoint", start, "--steps", "1"]
    assert outside.main([*shown, "--plain", str(trained)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["irflow, 1 step"] * 3 + ["plain, 1 step"] * 3
    assert outside.main([*shown, "--plain", str(tmp_path / "none.safetensors")]) == 4
