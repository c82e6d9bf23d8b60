"""Training: it learns, it resumes to the same bits, it ends cleanly."""

from __future__ import annotations

import itertools
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import TINY
from safetensors.torch import load_file

from irflow_cli.errors import CheckpointError, NothingToDo, UsageError
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.training import record
from irflow_cli.training.loop import Run, train
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.record import LOG, STATE, TrainProgress


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_a_resumed_run_ends_with_the_same_bits(request_: TrainRequest, tmp_path: Path, optimiser: str) -> None:
    request_ = replace(request_, optimiser=optimiser)
    whole = train(request_)
    broken = replace(request_, out=tmp_path / "broken")
    train(replace(broken, iterations=5))
    result = train(replace(broken, resume=True))
    assert result.iterations == whole.iterations == 12
    ours, theirs = (load_file(out / STATE) for out in (request_.out, broken.out))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_run_goes_on_with_its_own_options_alone(request_: TrainRequest) -> None:
    train(replace(request_, iterations=3))
    for other in ({"rate": 5e-4}, {"crop": 32}, {"task": "derain"}, {"distance": "mse"}, {"seed": 1}):
        with pytest.raises(UsageError, match=f"begun with `{next(iter(other))}`"):
            train(replace(request_, resume=True, **other))
    assert train(replace(request_, resume=True, decay=0.5, iterations=5, validate_every=2)).iterations == 5


def test_an_interruption_does_not_choose_what_ships(request_: TrainRequest, monkeypatch) -> None:
    scores = iter((30.0, 20.0, 25.0))
    monkeypatch.setattr(record, "validate", lambda net, pairs: next(scores))

    def interrupt(progress: TrainProgress) -> None:
        if progress.iteration == 2:
            os.kill(os.getpid(), signal.SIGINT)

    first = train(replace(request_, validate_every=2, iterations=3), interrupt)  # 30, and at the interruption 20
    assert first.interrupted == signal.SIGINT
    assert load_checkpoint(first.checkpoint).card.scores["validation_psnr"] == 30
    train(replace(request_, validate_every=9, iterations=4, resume=True))  # 25, at the planned end
    assert load_checkpoint(first.checkpoint).card.scores["validation_psnr"] == 30


def test_a_card_tells_where_its_run_began(request_: TrainRequest, tmp_path: Path) -> None:
    first = train(replace(request_, iterations=3))
    parent = load_checkpoint(first.checkpoint).card
    second = train(replace(request_, iterations=3, out=tmp_path / "second", init=str(first.checkpoint)))
    trained = load_checkpoint(second.checkpoint).card.trained
    assert (trained["started_from"], trained["minutes_before"]) == (parent.digest, parent.minutes)
    assert replace(parent, trained={"minutes": 2.5, "minutes_before": 4}).minutes == 6.5


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


def test_a_trained_network_is_the_start_of_a_deeper_one(request_: TrainRequest, tmp_path: Path) -> None:
    result = train(request_)
    deeper = replace(TINY, depths=(1, 3))
    run = Run(replace(request_, init=str(result.checkpoint), spec=deeper), torch.device("cpu"))
    x, t = torch.rand(2, 3, 16, 16), torch.tensor([0.0, 0.5])
    assert torch.allclose(run.net(x, t), load_checkpoint(result.checkpoint).net(x, t), atol=1e-6)
    grown = train(replace(request_, init=str(result.checkpoint), spec=deeper, out=tmp_path / "grown"))
    assert load_file(grown.checkpoint)["encoder.1.2.second.weight"].any()
    with pytest.raises(CheckpointError, match="larger in"):
        Run(replace(request_, init=str(grown.checkpoint), spec=replace(TINY, widths=(4, 8))), torch.device("cpu"))


def test_a_time_limit_counts_over_resumed_parts(request_: TrainRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(record.time, "monotonic", lambda: next(clock) / 10)  # a tenth of a second passes at every look
    timed = replace(request_, iterations=None, minutes=0.01)
    first = train(timed)
    assert 0 < first.iterations < 10
    assert train(replace(timed, resume=True)).iterations == first.iterations
    assert train(replace(timed, minutes=0.03, resume=True)).iterations > first.iterations


def test_a_prior_is_trained_and_is_no_start_for_others(request_: TrainRequest, tmp_path: Path) -> None:
    result = train(replace(request_, task="prior"))
    card = load_checkpoint(result.checkpoint).card
    assert (card.task, card.spec.time_map) == ("prior", True)
    with pytest.raises(CheckpointError, match="is a prior"):
        train(replace(request_, init=str(result.checkpoint), out=tmp_path / "other"))
    with pytest.raises(UsageError, match="no meaning for a prior"):
        train(replace(request_, task="prior", condition=True, out=tmp_path / "third"))


def test_a_second_input_begins_as_nothing(request_: TrainRequest, tmp_path: Path) -> None:
    first = train(request_)
    wider = replace(request_, init=str(first.checkpoint), condition=True, self_conditioned=True, out=tmp_path / "wider")
    before, after = load_checkpoint(first.checkpoint).net, Run(wider, torch.device("cpu")).net
    x, t = torch.rand(1, 3, 24, 24), torch.tensor([0.3])
    assert torch.allclose(before(x, t), after(x, t, torch.rand(1, 3, 24, 24)), atol=1e-6)
    result = train(wider)
    assert load_checkpoint(result.checkpoint).card.spec.condition


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
