"""What every network must keep."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from drawn import lively
from hypothesis import given, settings
from hypothesis import strategies as st

from irflow_cli.flow.times import make_times
from irflow_cli.nets import NETS, SIZES, NetSpec, OfficialSpec, PriorSpec, Spec, build, spec_of
from irflow_cli.nets.blocks import BLOCKS
from irflow_cli.nets.official import thousandths
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


@pytest.mark.parametrize("block", BLOCKS)
def test_fresh_blocks_change_nothing(block: str) -> None:
    features = torch.rand(2, 8, 6, 5)
    assert torch.equal(BLOCKS[block](8, 4)(features, torch.rand(2, 4)), features)


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


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"net": "transformer"}, "net"),
        ({"block": "unknown"}, "block"),
        ({"widths": [8], "depths": [1, 1]}, "widths"),
        ({"unshuffle": 0}, "sizes"),
        ({"widths": [10**9], "depths": [1]}, "sizes"),
        ({"condition": 1}, "condition"),
        ({"embedding": 7}, "embedding"),
        ({"extra": 1}, "expected"),
    ],
)
def test_a_spec_out_of_range_names_what_is_wrong(change: dict[str, object], match: str) -> None:
    values = SIZES["base"].to_dict()
    assert spec_of(values) == SIZES["base"]
    with pytest.raises(ValueError, match=match):
        spec_of({**values, **change})


@pytest.mark.parametrize(
    ("spec", "change", "match"),
    [
        (OfficialSpec(), {"width": 7}, "width"),
        (OfficialSpec(), {"width": 2}, "width"),
        (OfficialSpec(), {"depth": 7}, "depth"),
        (OfficialSpec(), {"order": "gbr"}, "order"),
        (OfficialSpec(), {"net": "unet"}, "expected"),
        (PriorSpec(), {"width": 48}, "width"),
        (PriorSpec(), {"multipliers": [1] * 7}, "multipliers"),
        (PriorSpec(), {"blocks": 0}, "blocks"),
        (PriorSpec(), {"attention": [4]}, "attention"),
        (PriorSpec(), {"size": 4}, "size"),
    ],
)
def test_a_third_party_spec_out_of_range_names_what_is_wrong(spec: Spec, change: dict[str, object], match: str) -> None:
    assert spec_of(spec.to_dict()) == spec
    with pytest.raises(ValueError, match=match):
        spec_of({**spec.to_dict(), **change})
    assert type(spec).from_dict(spec.to_dict()) == spec
    with pytest.raises(ValueError, match="net"):
        type(spec).from_dict({**spec.to_dict(), "net": "transformer"})


# What IR-Flow's released network is asked at in a trajectory of N steps: its own grids for 2, 3 and 4, else N equal parts of
# 1000 whose fractions are cut off.
ASKED = {
    1: [1000],
    2: [1000, 200],
    3: [1000, 200, 100],
    4: [1000, 500, 250, 50],
    5: [1000, 800, 600, 400, 200],
    6: [1000, 833, 666, 500, 333, 166],
    7: [1000, 857, 714, 571, 428, 285, 142],
    8: [1000, 875, 750, 625, 500, 375, 250, 125],
    9: [1000, 888, 777, 666, 555, 444, 333, 222, 111],
    10: [1000, 900, 800, 700, 600, 500, 400, 300, 200, 100],
}


@pytest.mark.parametrize("steps", ASKED)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_published_network_is_asked_at_its_own_times(steps: int, dtype: torch.dtype) -> None:
    times = make_times("released", steps).to(dtype)
    assert thousandths(times[:-1]).tolist() == ASKED[steps]
