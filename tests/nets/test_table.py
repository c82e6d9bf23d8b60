"""What every network must keep."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from drawn import lively
from hypothesis import given, settings
from hypothesis import strategies as st

from irflow_cli.nets import NETS, SIZES, NetSpec, OfficialSpec, PriorSpec, Spec, build
from irflow_cli.nets.blocks import BLOCKS
from irflow_cli.runtime.checkpoints import Card, load_checkpoint, save_checkpoint

SPECS: dict[str, Spec] = {
    f"{block}-u{unshuffle}{'-condition' if condition else ''}": NetSpec(
        widths=(8, 12), depths=(1, 2), unshuffle=unshuffle, block=block, condition=condition, embedding=8
    )
    for block in BLOCKS
    for unshuffle in (1, 2)
    for condition in (False, True)
} | {
    "irflow-official": OfficialSpec(width=4, depth=2),
    "flow-prior": PriorSpec(multipliers=(1, 2), blocks=1, attention=(1,), size=32),
}
SMALL = {spec.net for spec in SPECS.values()}
SPECS |= {name: spec(name) for name, (spec, _) in NETS.items() if name not in SMALL}  # those that nobody made small


@pytest.mark.parametrize("name", SPECS)
def test_file_and_back_gives_equal_outputs(name: str, tmp_path: Path) -> None:
    net = lively(SPECS[name])
    path = tmp_path / "net.safetensors"
    predicts = net.contract.predicts
    task = "prior" if predicts == "velocity" else "derain"
    save_checkpoint(path, net.state_dict(), Card(task, SPECS[name], predicts=predicts), dtype=torch.float32)
    loaded = load_checkpoint(path)
    x, t = torch.rand(2, 3, 9, 14), torch.tensor([0.0, 0.5])
    assert loaded.card.spec == SPECS[name]
    assert torch.equal(net(x, t), loaded.net(x, t))


@pytest.mark.parametrize("name", SPECS)
@settings(max_examples=12, derandomize=True, deadline=None)
@given(height=st.integers(1, 33), width=st.integers(1, 33))
def test_any_size_works(name: str, height: int, width: int) -> None:
    net = build(SPECS[name])
    assert net(torch.rand(1, 3, height, width), torch.zeros(1)).shape == (1, 3, height, width)


@pytest.mark.parametrize("name", SPECS)
def test_samples_of_a_batch_do_not_see_each_other(name: str) -> None:
    net, x, t = lively(SPECS[name]), torch.rand(3, 3, 16, 12), torch.tensor([0.0, 0.4, 0.9])
    alone = torch.cat([net(x[i : i + 1], t[i : i + 1]) for i in range(3)])
    assert torch.allclose(net(x, t), alone, atol=1e-5)


@pytest.mark.parametrize("name", SPECS)
def test_the_answer_depends_on_picture_time_and_weights(name: str) -> None:
    net, x, t = lively(SPECS[name]), torch.rand(1, 3, 16, 16), torch.zeros(1)
    first = net(x, t)
    assert not torch.allclose(first, net(x.flip(3), t))
    assert not torch.allclose(first, net(x, t + 0.5))
    assert not torch.allclose(first, lively(SPECS[name], seed=1)(x, t))
    seen = net(x, t, x.flip(2))
    assert torch.allclose(first, seen) != getattr(SPECS[name], "condition", False)


@pytest.mark.parametrize("size", SIZES)
def test_shipped_sizes_are_within_their_bounds(size: str) -> None:
    count = sum(parameter.numel() for parameter in build(SIZES[size]).parameters())
    assert 0.9e6 <= count <= 8e6
