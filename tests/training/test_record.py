"""What a run writes: its log, its card, and the best of its averages."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from irflow_cli.errors import UsageError
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.training import record
from irflow_cli.training.loop import train
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.record import LOG, STATE, TrainProgress


def test_an_interruption_does_not_choose_what_ships(request_: TrainRequest, monkeypatch) -> None:
    scores = iter((30.0, 20.0, 25.0))
    monkeypatch.setattr(record, "validate", lambda net, pairs, guesses: next(scores))

    def interrupt(progress: TrainProgress) -> None:
        if progress.iteration == 2:
            os.kill(os.getpid(), signal.SIGINT)

    first = train(replace(request_, validate_every=2, iterations=3), interrupt)  # 30, and at the interruption 20
    assert first.interrupted == signal.SIGINT
    assert load_checkpoint(first.checkpoint).card.scores["validation_psnr"] == 30
    train(replace(request_, validate_every=9, iterations=4, resume=True))  # 25, at the planned end
    assert load_checkpoint(first.checkpoint).card.scores["validation_psnr"] == 30


def test_it_learns_and_ships_the_average(request_: TrainRequest) -> None:
    result = train(replace(request_, iterations=120, validate_every=40))
    log = [json.loads(line) for line in (request_.out / LOG).read_text().splitlines()]
    scores = [entry["psnr"] for entry in log if entry["psnr"] is not None]
    assert scores[-1] > scores[0] + 0.5
    assert all(entry["rate"] > 0 and entry["loss"] > 0 for entry in log)
    shipped, state = load_file(result.checkpoint), load_file(request_.out / STATE)
    assert torch.equal(shipped["exit.weight"], state["average.exit.weight"].half())
    assert not torch.equal(shipped["exit.weight"], state["net.exit.weight"].half())
    card = load_checkpoint(result.checkpoint).card
    assert (card.task, card.trained["iterations"]) == ("denoise", 120)
    assert card.scores["validation_psnr"] == pytest.approx(result.psnr, abs=1e-3)


def test_a_time_limit_counts_over_resumed_parts(request_: TrainRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(record.time, "monotonic", lambda: next(clock) / 10)  # a tenth of a second passes at every look
    timed = replace(request_, iterations=None, minutes=0.01)
    first = train(timed)
    assert 0 < first.iterations < 10
    assert train(replace(timed, resume=True)).iterations == first.iterations
    assert train(replace(timed, minutes=0.03, resume=True)).iterations > first.iterations


def test_tensorboard_shows_what_the_log_says(request_: TrainRequest) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(replace(request_, tensorboard=True))
    log = [json.loads(line) for line in (request_.out / LOG).read_text().splitlines()]
    board = reader.EventAccumulator(str(request_.out / "tensorboard")).Reload()
    for name in ("loss", "rate", "psnr"):
        shown = [(event.step, pytest.approx(event.value, rel=1e-5)) for event in board.Scalars(name)]
        assert shown == [(line["iteration"], line[name]) for line in log if line[name] is not None]
    assert len(board.Scalars("psnr")) == 2


def test_without_tensorboard_the_run_says_how_to_get_it(request_: TrainRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"TensorBoard is not installed; .*tensorboard"):
        train(replace(request_, tensorboard=True))
