"""Training ends cleanly, and leaves everything else as it was."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from irflow_cli.errors import CheckpointError, NothingToDo, UsageError
from irflow_cli.training.loop import train
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.record import STATE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends(request_: TrainRequest, number: int) -> None:
    def interrupt(progress: object) -> None:
        os.kill(os.getpid(), number)

    result = train(replace(request_, iterations=10_000), interrupt)
    assert result.interrupted == number
    assert 6 <= result.iterations < 10_000
    assert (request_.out / STATE).exists()
    assert result.checkpoint.exists()


def test_training_leaves_the_processor_as_it_was(request_: TrainRequest) -> None:
    train(replace(request_, iterations=1))
    assert float(torch.tensor(1e-40) * 1) > 0  # a denormal number is still one


def test_a_run_is_not_overwritten_and_a_missing_one_not_resumed(request_: TrainRequest, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="resume"):
        train(replace(request_, resume=True))
    train(replace(request_, iterations=1))
    with pytest.raises(UsageError, match="`resume`"):
        train(request_)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToDo):
        train(replace(request_, data=tmp_path / "empty", out=tmp_path / "new"))
