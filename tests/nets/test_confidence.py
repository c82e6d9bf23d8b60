"""The network that says how far to believe another one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from drawn import lively
from safetensors.torch import load_file

from irflow_cli.nets import NetSpec, build
from irflow_cli.nets.confidence import CELL, CHANNELS, MULTIPLE, ConfidenceNet
from irflow_cli.runtime.checkpoints import Card, load_checkpoint, save_checkpoint

TINY = NetSpec(widths=(8, 12), depths=(1, 2), embedding=8, confidence=6)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (3, 2)])
def test_there_is_one_answer_for_every_cell(height: int, width: int) -> None:
    seen = torch.rand(2, CHANNELS, height * MULTIPLE, width * MULTIPLE)
    assert ConfidenceNet()(seen).shape == (2, height * MULTIPLE // CELL, width * MULTIPLE // CELL)


def test_every_place_knows_of_the_whole_picture() -> None:
    net, seen = ConfidenceNet(), torch.rand(1, CHANNELS, 2 * MULTIPLE, 40 * MULTIPLE)
    other = seen.clone()
    other[..., :MULTIPLE] = 0
    assert (net(seen) - net(other))[..., -1].abs().min() > 0


def test_a_network_is_stored_with_it_and_does_not_depend_on_it(tmp_path: Path) -> None:
    net = lively(TINY)
    x, t = torch.rand(1, 3, 9, 14), torch.tensor([0.5])
    expected = net(x, t)
    save_checkpoint(tmp_path / "net.safetensors", net.state_dict(), Card("deraindrop", TINY), dtype=torch.float32)
    loaded = load_checkpoint(tmp_path / "net.safetensors").net
    assert loaded.confidence is not None
    seen = torch.rand(1, CHANNELS, MULTIPLE, MULTIPLE)
    assert net.confidence is not None
    assert torch.allclose(loaded.confidence(seen), net.confidence(seen), atol=1e-5)
    loaded.confidence = None
    assert torch.allclose(loaded(x, t), expected, atol=1e-5)


def test_those_without_are_described_as_before_there_was_one() -> None:
    assert "confidence" not in NetSpec().to_dict()
    assert build(NetSpec(widths=(8,), depths=(1,))).confidence is None
    assert NetSpec.from_dict(TINY.to_dict()) == TINY


def test_its_matrices_take_eight_bits_and_those_of_the_first_sixteen(tmp_path: Path) -> None:
    net, path = lively(TINY), tmp_path / "net.safetensors"
    save_checkpoint(path, net.state_dict(), Card("deraindrop", TINY))
    bits = {key: value.dtype.itemsize * 8 for key, value in load_file(path).items() if value.ndim > 1}
    assert {key: 8 if key.startswith("confidence.") else 16 for key in bits} == bits and set(bits.values()) == {8, 16}
    loaded, seen = load_checkpoint(path).net.confidence, torch.rand(4, CHANNELS, MULTIPLE, MULTIPLE)
    assert loaded is not None and net.confidence is not None
    near = (loaded(seen) - net.confidence(seen)).std() / net.confidence(seen).std()
    assert 0 < float(near) < 0.1
