"""A network begins as another that was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import TINY, lively
from safetensors.torch import load_file

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.nets import build
from irflow_cli.nets.blocks import BLOCKS
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.training.growth import grow
from irflow_cli.training.loop import Run, train
from irflow_cli.training.options import TrainRequest


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


@pytest.mark.parametrize("block", BLOCKS)
def test_new_blocks_and_new_inputs_leave_the_function_as_it_is(block: str) -> None:
    spec = replace(TINY, block=block)
    small, large = lively(spec), build(replace(spec, depths=tuple(depth + 2 for depth in spec.depths), condition=True))
    for parameter in small.parameters():
        parameter.mul_(1.1).add_(0.01)  # norms begin as ones
    grow(small, large)
    x, t = torch.rand(2, 3, 16, 16), torch.tensor([0.0, 0.5])
    assert torch.allclose(large(x, t, torch.rand(2, 3, 16, 16)), small(x, t), atol=1e-6)


def test_features_that_are_normalised_grow_in_depth_alone() -> None:
    spec = replace(TINY, block="naf")
    with pytest.raises(CheckpointError, match="in depth alone"):
        grow(lively(spec), build(replace(spec, widths=tuple(2 * width for width in spec.widths))))


def test_a_prior_is_trained_and_is_no_start_for_others(request_: TrainRequest, tmp_path: Path) -> None:
    of_a_prior = replace(request_, task="prior", consistency_every=TrainRequest.consistency_every)
    result = train(of_a_prior)
    card = load_checkpoint(result.checkpoint).card
    assert (card.task, card.spec.time_map) == ("prior", True)
    with pytest.raises(CheckpointError, match="is a prior"):
        train(replace(request_, init=str(result.checkpoint), out=tmp_path / "other"))
    with pytest.raises(UsageError, match="no meaning for a prior"):
        train(replace(of_a_prior, condition=True, out=tmp_path / "third"))


def test_a_second_input_begins_as_nothing(request_: TrainRequest, tmp_path: Path) -> None:
    first = train(request_)
    wider = replace(request_, init=str(first.checkpoint), condition=True, self_conditioned=True, out=tmp_path / "wider")
    before, after = load_checkpoint(first.checkpoint).net, Run(wider, torch.device("cpu")).net
    x, t = torch.rand(1, 3, 24, 24), torch.tensor([0.3])
    assert torch.allclose(before(x, t), after(x, t, torch.rand(1, 3, 24, 24)), atol=1e-6)
    result = train(wider)
    assert load_checkpoint(result.checkpoint).card.spec.condition
