"""`irflow models`: what comes in, what goes out, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from foreign import OFFICIAL, PRIOR, numbers, official_shapes, prior_shapes


@pytest.fixture
def official(tmp_path: Path) -> Path:
    torch.save(numbers(official_shapes(*OFFICIAL["official-6-3"])), tmp_path / "official.pth")
    return tmp_path / "official.pth"


def test_converted_weights_restore_and_a_prior_does_not(official: Path, irflow, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png", 21, 30)
    converted = irflow("models", "convert", official, "--task", "derain")
    assert (converted.code, converted.out, converted.err) == (0, f"{official.with_suffix('.safetensors')}\n", "")
    assert irflow("restore", source, "--task", "derain", "--checkpoint", converted.out.strip()).code == 0
    torch.save(numbers(prior_shapes(*PRIOR["prior-2"])), tmp_path / "prior.pt")
    prior = irflow("models", "convert", tmp_path / "prior.pt", "-o", tmp_path / "a-prior.safetensors")
    assert (prior.code, prior.out) == (0, f"{tmp_path / 'a-prior.safetensors'}\n")
    refused = irflow("restore", source, "--task", "derain", "--checkpoint", prior.out.strip(), "-o", tmp_path / "x.png")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (4, "", 1)
    assert "prior" in refused.err


def test_what_cannot_be_converted_is_one_line(official: Path, irflow) -> None:
    for arguments, code in (((official,), 2), ((official.with_name("none.pth"), "--task", "derain"), 4)):
        done = irflow("models", "convert", *arguments)
        assert (done.code, done.out, len(done.err.splitlines())) == (code, "", 1)
