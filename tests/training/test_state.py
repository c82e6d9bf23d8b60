"""A run resumes to the same bits, with its own options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import save, scene
from safetensors.torch import load_file

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.training.loop import train
from irflow_cli.training.options import TrainRequest, options_of_run
from irflow_cli.training.record import BEST, LAST, STATE


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
    with pytest.raises(UsageError, match="another `size`"):
        train(replace(request_, resume=True, size="large", spec=None))
    assert train(replace(request_, resume=True, decay=0.5, iterations=5, validate_every=2)).iterations == 5


def test_a_run_begun_with_a_network_resumes_without_it(request_: TrainRequest, tmp_path: Path) -> None:
    train(replace(request_, iterations=1))
    begun = replace(request_, out=tmp_path / "other", spec=None, init=str(request_.out / BEST), iterations=2)
    train(begun)
    assert train(replace(begun, init=None, resume=True, iterations=3)).iterations == 3
    with pytest.raises(UsageError, match=r"`init`.*was begun with another network"):
        train(replace(begun, init="derain", resume=True, iterations=3))
    gone = str(tmp_path / "gone.safetensors")
    assert train(replace(begun, init=gone, resume=True, iterations=4)).iterations == 4
    state = load_file(begun.out / STATE)
    assert state.keys() == load_file(request_.out / STATE).keys()


@pytest.mark.parametrize("harm", ["cut off", "other weights", "gone"])
def test_a_state_that_cannot_be_resumed_says_how_to_go_on(request_: TrainRequest, harm: str) -> None:
    train(replace(request_, iterations=1))
    state, last = request_.out / STATE, request_.out / LAST
    data = {"cut off": state.read_bytes()[:-1000], "other weights": (request_.out / BEST).read_bytes(), "gone": b""}[harm]
    state.unlink()
    if data:
        state.write_bytes(data)
    why = "No such file or directory" if harm == "gone" else "damaged, or not the state of a run"
    advice = f"{state} cannot be resumed ({why}); begin again without `resume`, with another `output` and `init` {last}"
    with pytest.raises(CheckpointError) as refused:
        train(replace(request_, resume=True))
    assert str(refused.value) == advice
    if harm != "other weights":  # whose options can be read
        with pytest.raises(CheckpointError) as refused:
            options_of_run(request_.out, None)
        assert str(refused.value) == advice


def test_weights_without_a_recipe_are_no_state(request_: TrainRequest, tiny_checkpoint: Callable[[str], Path]) -> None:
    train(replace(request_, iterations=1))
    (request_.out / STATE).write_bytes(tiny_checkpoint("denoise").read_bytes())
    with pytest.raises(CheckpointError, match="not the state of a run"):
        options_of_run(request_.out, None)


def test_a_run_with_layers_of_rain_goes_on_with_them(request_: TrainRequest, tmp_path: Path) -> None:
    (tmp_path / "layers").mkdir()
    save(tmp_path / "layers" / "a.png", scene(40, 40))
    rainy = replace(request_, task="derain", out=tmp_path / "rain", rain_layers=tmp_path / "layers", iterations=2)
    train(rainy)
    with pytest.raises(UsageError, match=r"`rain_layers`.*was begun with them; give them again"):
        train(replace(rainy, resume=True, rain_layers=None, iterations=3))
    assert train(replace(rainy, resume=True, iterations=3)).iterations == 3
    dry = replace(rainy, out=tmp_path / "dry", rain_layers=None)
    train(dry)
    with pytest.raises(UsageError, match=r"`rain_layers`.*was begun without them; leave them out"):
        train(replace(dry, resume=True, rain_layers=tmp_path / "layers", iterations=3))
    with pytest.raises(UsageError, match=r"`init`.*was begun with a network from scratch"):
        train(replace(dry, resume=True, init="derain", iterations=3))
