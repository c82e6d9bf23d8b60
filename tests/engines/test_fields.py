"""The one adapter: whatever a network predicts, in whatever range, the velocity is the same."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from drawn import lively
from torch import Tensor

import irflow_cli
from irflow_cli import nets
from irflow_cli.engines.fields import CONVERSIONS, velocity_of
from irflow_cli.nets import NETS, Contract, Network, build
from irflow_cli.nets.contract import PREDICTIONS


class Knows(Network):
    """A network that knows the clean picture, on [0, 1], and says so as its contract demands."""

    def __init__(self, clean: Tensor, contract: Contract) -> None:
        super().__init__()
        self.clean, self.contract = clean, contract
        self.seen: list[Tensor] = []

    def forward(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        black, white = self.contract.range
        clean = black + (white - black) * self.clean
        self.seen += [] if degraded is None else [degraded]
        remaining = 1 - (t if t.ndim == 4 else t[:, None, None, None])
        return {"clean": clean, "residual": x_t - clean, "velocity": (clean - x_t) / remaining}[self.contract.predicts]


@pytest.mark.parametrize("predicts", PREDICTIONS)
@pytest.mark.parametrize("range_", [(0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("pixelwise", [False, True])
def test_every_prediction_is_the_same_velocity(predicts: str, range_: tuple[float, float], pixelwise: bool) -> None:
    clean, degraded = torch.rand(2, 3, 5, 4), torch.rand(2, 3, 5, 4)
    t = torch.tensor([0.0, 0.75])
    x = degraded + t[:, None, None, None] * (clean - degraded)
    net = Knows(clean, Contract(predicts, multiple=1, range=range_))
    times = t[:, None, None, None].expand(-1, 1, 5, 4) if pixelwise else t
    assert torch.allclose(velocity_of(net, degraded)(x, times), clean - degraded, atol=1e-5)
    assert torch.allclose(net.seen[0], range_[0] + (range_[1] - range_[0]) * degraded)
    assert velocity_of(net)(x, times).shape == x.shape
    assert len(net.seen) == 1  # without a degraded picture there is none to see


def test_known_pixels_at_the_end_have_a_finite_velocity() -> None:
    net = Knows(torch.rand(1, 3, 4, 4), Contract("residual", multiple=1, time_map=True))
    assert velocity_of(net)(torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4)).isfinite().all()


def test_there_is_a_conversion_for_every_prediction() -> None:
    assert tuple(sorted(CONVERSIONS)) == tuple(sorted(PREDICTIONS))


@pytest.mark.parametrize("name", NETS)
def test_a_contract_is_kept(name: str) -> None:
    contract = build(NETS[name][0](name)).contract
    assert contract.predicts in PREDICTIONS
    assert contract.multiple >= 1
    assert contract.range[0] < contract.range[1]
    assert contract.size is None or contract.size % contract.multiple == 0


def test_a_map_of_times_is_taken_where_the_contract_says_so() -> None:
    spec = nets.NetSpec(widths=(8, 12), depths=(1, 1), embedding=8, time_map=True)
    net, x = lively(spec), torch.rand(1, 3, 8, 8)
    times = torch.rand(1, 1, 8, 8)
    assert net.contract.time_map
    assert not torch.allclose(velocity_of(net)(x, times), velocity_of(net)(x, times.flip(3)))


@pytest.mark.parametrize("name", NETS)
def test_a_network_is_in_the_import_contract(name: str) -> None:
    settings = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    forbidden = settings.split("forbidden_modules = [", 1)[1].split("]", 1)[0]
    assert f'"{NETS[name][1].__module__}"' in forbidden, "add its module to forbidden_modules in pyproject.toml"


def test_nothing_outside_nets_asks_which_network_it_has() -> None:
    classes = {spec.__name__ for spec, _ in NETS.values()} | {net.__name__ for _, net in NETS.values()}
    root = Path(irflow_cli.__file__).parent
    found = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        if path.parent.name != "nets"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        if classes & {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
    ]
    assert not found, "read the network's contract instead"
