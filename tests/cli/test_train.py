"""`irflow train`: what it prints is a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn import scene
from PIL import Image


def test_train_prints_its_checkpoint_and_restore_takes_it(irflow, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        Image.fromarray(scene(40, 40, seed)).save(tmp_path / "photos" / f"{seed}.png")
    trained = irflow(
        *("train", tmp_path / "photos", "-o", tmp_path / "run", "--task", "derain", "--iterations", 2),
        *("--batch", 2, "--crop", 32, "--size", "small", "--device", "cpu"),
    )
    assert trained.code == 0, trained.err
    checkpoint = Path(trained.out.strip())
    assert checkpoint == tmp_path / "run" / "best.safetensors"
    restored = irflow("restore", tmp_path / "photos" / "0.png", "--task", "derain", "--checkpoint", checkpoint)
    assert restored.code == 0


@pytest.mark.parametrize(
    ("more", "named"),
    [(("photos",), "DATA"), (("--resume",), "--resume"), (("--minutes", 1), "--minutes"), (("-o", "x"), "--output")],
)
def test_what_would_do_nothing_beside_plot_is_refused(more: tuple[object, ...], named: str, irflow, tmp_path: Path) -> None:
    done = irflow("train", "--plot", tmp_path, *more)
    assert (done.code, done.err) == (2, f"irflow: {named} has no meaning with --plot; leave it out\n")
    assert "holds no log" in irflow("train", "--plot", tmp_path, "--quiet").err
