"""Training ends cleanly, and leaves everything else as it was."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import TINY, lively

from irflow_cli.errors import CheckpointError, ImageError, IrflowError, NothingToDo, UsageError
from irflow_cli.runtime.checkpoints import Card, load_checkpoint, save_checkpoint
from irflow_cli.runtime.files import PART, _begun
from irflow_cli.training.loop import ENDS, LOCK, train
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.record import BEST, LAST, LOG, STATE


@pytest.mark.parametrize("number", ENDS, ids=lambda number: signal.Signals(number).name)
def test_a_signal_saves_and_ends(request_: TrainRequest, number: int) -> None:
    def interrupt(progress: object) -> None:
        os.kill(os.getpid(), number)

    before = signal.signal(number, signal.SIG_DFL)  # one that is ignored, as where tests run in the background, stays so
    try:
        result = train(replace(request_, iterations=10_000), interrupt)
    finally:
        signal.signal(number, before)
    assert result.interrupted == number
    assert 0 < result.iterations < 10_000  # news comes by the clock, too
    assert (request_.out / STATE).exists()
    assert result.checkpoint.exists()


def test_a_signal_that_was_ignored_stays_ignored(request_: TrainRequest) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as `nohup` does with the end of a terminal
    try:
        result = train(replace(request_, iterations=7), lambda progress: os.kill(os.getpid(), signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert result.interrupted is None
    assert result.iterations == 7


def test_a_terminal_that_is_closed_is_among_what_ends_a_run() -> None:
    assert {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGINT)} == set(ENDS)


def test_two_runs_in_one_folder_are_one_line_and_the_first_goes_on(request_: TrainRequest) -> None:
    said = []

    def begin_another(progress: object) -> None:
        with pytest.raises(UsageError, match="another run works in"):
            train(replace(request_, seed=9))
        said.append(progress)

    result = train(request_, begin_another)
    assert said
    assert result.iterations == 12
    assert not (request_.out / LOCK).exists()


def test_a_run_keeps_its_best_weights_and_its_last(request_: TrainRequest) -> None:
    scores = []
    train(replace(request_, iterations=6, validate_every=1, rate=0.02), lambda progress: scores.append(progress.psnr))
    best, last = (load_checkpoint(request_.out / name).card for name in (BEST, LAST))
    assert last.trained["iterations"] == 6
    assert best.trained["iterations"] == 1 + max(range(6), key=lambda index: (scores[index], index))
    assert best.scores["validation_psnr"] >= last.scores["validation_psnr"]


def test_what_a_killed_run_had_begun_to_write_goes(request_: TrainRequest) -> None:
    request_.out.mkdir()
    left = request_.out / f"{_begun(request_.out / STATE)}left{PART}"
    left.write_bytes(b"half")
    train(replace(request_, iterations=1))
    assert not left.exists()


def test_a_run_that_diverges_ends_with_an_error_and_leaves_no_weights_behind(request_: TrainRequest) -> None:
    with pytest.raises(IrflowError, match=r"diverged by iteration .* lower `rate`"):
        train(replace(request_, rate=1e9, warmup=0, iterations=100, optimiser="adamw"))
    assert not any((request_.out / name).exists() for name in (STATE, BEST, LAST))


def test_a_run_that_diverges_in_its_last_iteration_ends_with_an_error_too(request_: TrainRequest) -> None:
    with pytest.raises(IrflowError, match=r"diverged by iteration 1: its PSNR is .* lower `rate`"):
        train(replace(request_, rate=1e30, warmup=0, iterations=1))
    assert not any((request_.out / name).exists() for name in (STATE, BEST, LAST))


@pytest.mark.skipif(os.name != "posix", reason="pipes have names on POSIX systems")
def test_a_log_that_is_a_pipe_is_one_line(request_: TrainRequest) -> None:
    train(replace(request_, iterations=1))
    (request_.out / LOG).unlink()
    os.mkfifo(request_.out / LOG)
    with pytest.raises(ImageError, match=r"cannot write .*log\.jsonl"):
        train(replace(request_, resume=True))


@pytest.mark.parametrize("seed", [10**23, -(10**23), -1])
def test_any_whole_number_is_a_seed(request_: TrainRequest, seed: int) -> None:
    assert train(replace(request_, iterations=1, seed=seed)).checkpoint.exists()


def test_training_leaves_the_processor_as_it_was(request_: TrainRequest) -> None:
    train(replace(request_, iterations=1))
    assert float(torch.tensor(1e-40) * 1) > 0  # a denormal number is still one


@pytest.mark.parametrize("name", [STATE, BEST, LAST, LOG])
def test_files_that_a_run_would_replace_are_left_as_they_are(name: str, request_: TrainRequest) -> None:
    request_.out.mkdir()
    (request_.out / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match=rf"{name} exists; give another `output`"):
        train(replace(request_, iterations=1))
    assert {path.name: path.read_bytes() for path in request_.out.iterdir()} == {name: b"mine"}


def test_a_run_is_not_overwritten_and_a_missing_one_not_resumed(request_: TrainRequest, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="resume"):
        train(replace(request_, resume=True))
    train(replace(request_, iterations=1))
    with pytest.raises(UsageError, match="`resume`"):
        train(request_)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToDo):
        train(replace(request_, data=tmp_path / "empty", out=tmp_path / "new"))


def test_a_network_that_is_trained_on_loses_what_told_how_far_to_believe_it(request_: TrainRequest, tmp_path: Path) -> None:
    spec = replace(TINY, confidence=6)
    save_checkpoint(tmp_path / "net.safetensors", lively(spec).state_dict(), Card("denoise", spec, 55.0))
    began = replace(request_, init=str(tmp_path / "net.safetensors"), spec=None, iterations=2, validate_every=1)
    assert load_checkpoint(train(began).checkpoint).net.confidence is None
    assert load_checkpoint(train(replace(began, resume=True, iterations=3)).checkpoint).net.confidence is None
