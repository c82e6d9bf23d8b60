"""What `--resume` takes for the same work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("command", "task", "again", "done"),
    [
        ("restore --task derain", "derain", "", True),
        ("restore --task derain", "derain", "--seed 3", True),
        ("restore --task derain", "derain", "--strength 0.5", False),
        ("upscale --scale 2", "prior", "--seed 3", True),
        ("upscale --scale 2 --preset paper --steps 1", "prior", "--seed 3", False),
        ("inpaint --mask-box 4,4,8,8 --preset fast", "prior", "--seed 3", True),
        ("inpaint --mask-box 4,4,8,8 --sampler restora --steps 1", "prior", "--seed 3", False),
    ],
)
def test_a_result_is_known_by_weights_and_by_the_seed_where_it_counts(
    command: str, task: str, again: str, done: bool, irflow, tiny_checkpoint, picture_file, tmp_path: Path
) -> None:
    source, other = picture_file("a.png", 24, 24), tmp_path / "other-name.safetensors"
    shutil.copy(tiny_checkpoint(task), other)
    given = [*command.split(), source, "-o", tmp_path / "out", "--resume"]
    assert irflow(*given, "--checkpoint", tiny_checkpoint(task)).code == 0
    second = irflow(*given, "--checkpoint", other, "--json", *again.split())
    assert (second.code, '"skipped"' in second.out) == (0, done), second.err


def test_a_result_too_large_for_its_format_is_told_before_the_work(
    irflow, tiny_checkpoint, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("irflow_cli.engines.upscaler.Upscaler.enlarge", lambda *given: pytest.fail("worked for nothing"))
    Image.new("RGB", (8200, 2)).save(tmp_path / "wide.webp")
    done = irflow("upscale", tmp_path / "wide.webp", "--checkpoint", tiny_checkpoint("prior"))
    assert (done.code, "WEBP holds up to 16383 pixels a side, not 16400; write PNG or TIFF (--format)" in done.err) == (1, True)
