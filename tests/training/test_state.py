"""A run resumes to the same bits, with its own options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from irflow_cli.errors import UsageError
from irflow_cli.training.loop import train
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.record import STATE


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
