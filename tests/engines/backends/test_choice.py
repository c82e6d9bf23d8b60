"""The engine that is taken is the fastest that agrees with torch; what cannot work here is said and remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from loaded import CPU, checkpoint, installed

from irflow_cli.engines.backends import choice, open_engine
from irflow_cli.engines.backends.choice import Trial, attempt
from irflow_cli.engines.backends.table import BACKENDS, Loaded
from irflow_cli.errors import UsageError
from irflow_cli.nets import PriorSpec, build
from irflow_cli.runtime.checkpoints import Card, Checkpoint

PRIOR = PriorSpec(width=32, multipliers=(1, 2), blocks=1, attention=(), size=16)


@pytest.mark.parametrize(
    ("engine", "precision", "says"),
    [
        ("tensorrt", "auto", "unknown `engine` 'tensorrt'; there are auto, torch, openvino, onnxruntime"),
        ("auto", "fp8", "unknown `precision` 'fp8'; there are auto, fp32, bf16, fp16, int8"),
        ("torch", "int8", "`engine` torch has no int8, only fp32, bf16, fp16"),
        ("onnxruntime", "bf16", "`engine` onnxruntime has no bf16, only fp32"),
    ],
)
def test_what_no_engine_does_is_said_in_one_line(engine: str, precision: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_engine(checkpoint(), CPU, engine, precision)
    assert str(caught.value) == says


def test_other_devices_are_for_torch() -> None:
    with pytest.raises(UsageError, match="works on the processor"):
        open_engine(checkpoint(), torch.device("cuda"), "openvino")


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> dict[str, Trial | int]:
    """Return what trials find, by engine and precision, and under "count" how many there were; nothing is timed."""
    found: dict[str, Trial | int] = {"count": 0}

    def look(loaded: Loaded, engine: str, precision: str) -> Trial:
        found["count"] += 1  # type: ignore[operator]
        return found.get(f"{engine} {precision}", Trial(engine, precision, refused="differs"))  # type: ignore[return-value]

    monkeypatch.setattr(choice, "attempt", look)
    for backend in BACKENDS.values():
        monkeypatch.setitem(backend.__dict__, "needs", ())
        monkeypatch.setitem(backend.__dict__, "has_bf16", lambda: True)
        monkeypatch.setitem(backend.__dict__, "open", lambda loaded, precision: loaded.net)
    return found


def test_auto_takes_the_fastest_that_agrees_and_remembers_it(tried: dict[str, Trial | int]) -> None:
    tried["torch bf16"] = Trial("torch", "bf16", 2.0)
    tried["onnxruntime fp32"] = Trial("onnxruntime", "fp32", 1.0)
    tried["openvino fp32"] = Trial("openvino", "fp32", 3.0)  # and its bfloat16 is refused
    first, count = open_engine(checkpoint(), CPU), tried["count"]
    assert (first.name, first.precision) == ("onnxruntime", "fp32")
    assert first.remarks() == ("openvino bf16: differs; using another",)
    assert first.remarks() == ()
    second = open_engine(checkpoint(), CPU)
    assert (second.name, second.remarks(), tried["count"]) == ("onnxruntime", (), count)
    assert [name for name, _ in choice.timings()] == ["tiny-denoise"]
    open_engine(checkpoint(seed=1), CPU)  # another network is looked at anew
    assert tried["count"] == 2 * count  # type: ignore[operator]


def test_an_engine_that_differs_is_replaced_by_torch(tried: dict[str, Trial | int]) -> None:
    engine = open_engine(checkpoint(), CPU, "openvino", "fp32")
    assert (engine.name, engine.precision) == ("torch", "fp32")
    assert engine.remarks() == ("openvino fp32: differs; using another",)


def test_a_trial_finds_what_an_engine_gets_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Loaded(checkpoint())
    right = attempt(known, "torch", "fp32")
    assert right.refused is None
    assert right.difference == 0
    assert right.seconds > 0
    monkeypatch.setitem(
        BACKENDS["torch"].__dict__, "open", lambda loaded, precision: lambda *inputs: 1.01 * loaded.net(*inputs)
    )
    assert attempt(known, "torch", "fp32").refused == "differs from torch in fp32 by 0.01, more than 0.0001"

    def fails(loaded: Loaded, precision: str) -> None:
        raise RuntimeError("no such operation\nin a long story")

    monkeypatch.setitem(BACKENDS["torch"].__dict__, "open", fails)
    assert attempt(known, "torch", "fp32").refused == "does not take this network (no such operation)"


def test_a_network_that_finds_nothing_to_take_out_is_judged_in_grey_levels() -> None:
    known = checkpoint()
    with torch.no_grad():
        known.net.get_submodule("exit").weight.mul_(1e-3)
        known.net.get_submodule("exit").bias.zero_()  # type: ignore[operator]
    call = BACKENDS["torch"].open(Loaded(known), "fp32")
    assert float(call(torch.rand(1, 3, 64, 64), torch.zeros(1), None).square().mean().sqrt()) < 0.02
    found = attempt(Loaded(known), "torch", "bf16")
    assert (found.refused, 0 < found.difference < 0.01) == (None, True)


def test_third_party_networks_run_in_torch_and_it_is_said_once() -> None:
    net = build(PRIOR).eval()
    known = Checkpoint(net, Card("prior", PRIOR, predicts="velocity", digest="0"), Path("theirs"))
    engine = open_engine(known, CPU, installed("onnxruntime"))
    assert (engine.name, engine.precision) == ("torch", "fp32")
    assert [note.partition(":")[0] for note in engine.remarks()] == ["onnxruntime fp32"]
    assert engine.remarks() == ()
