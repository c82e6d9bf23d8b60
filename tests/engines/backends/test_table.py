"""Every engine computes what torch does."""

from __future__ import annotations

import pytest
import torch
from loaded import CPU, checkpoint, installed

from irflow_cli.engines.backends import open_engine
from irflow_cli.engines.backends.table import BACKENDS, Loaded
from irflow_cli.errors import UsageError
from irflow_cli.extras import hint


@pytest.mark.parametrize("changes", [{}, {"condition": True}, {"time_map": True}, {"unshuffle": 2}, {"block": "naf"}], ids=str)
@pytest.mark.parametrize("name", list(BACKENDS))
def test_every_engine_computes_what_torch_does(name: str, changes: dict[str, object]) -> None:
    known = checkpoint(**changes)
    engine = open_engine(known, CPU, installed(name), "fp32")
    assert (engine.name, engine.precision) == (name, "fp32")
    generator = torch.Generator().manual_seed(1)
    for count, height, width in ((1, 24, 40), (2, 21, 33), (2, 21, 33), (2, 21, 33), (1, 3, 5)):  # also sizes off the grid
        x_t, degraded = torch.rand(2, count, 3, height, width, generator=generator)
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        t = torch.rand(count, 1, height, width) if changes.get("time_map") else torch.rand(count)
        before = x_t.clone()
        with torch.no_grad():
            expected, found = known.net(x_t, t, degraded), engine(x_t, t, degraded)
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, atol=1e-4)
        assert torch.equal(x_t, before)
        again = found.clone()
        engine(degraded, t, x_t)
        assert torch.equal(found, again)  # a result is not written over by the next call


@pytest.mark.parametrize(("name", "extra"), [("openvino", "openvino"), ("onnxruntime", "onnx")])
def test_an_engine_that_is_not_installed_says_how_to_get_it(name: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    with pytest.raises(UsageError) as caught:
        open_engine(checkpoint(), CPU, name)
    assert str(caught.value) == f"`engine` {name} is not installed; {hint(extra)}"
    assert open_engine(checkpoint(), CPU, "auto", "fp32").name == "torch"


@pytest.mark.parametrize(
    ("module", "precision", "says"),
    [
        ("onnx", "fp32", f"needs onnx, which is not installed; {hint('openvino')}"),
        ("nncf", "int8", f"needs nncf, which is not installed; {hint('int8')}"),
        ("openvino", "int8", f"is not installed; {hint('int8')}"),
    ],
)
def test_what_an_engine_needs_is_called_by_its_name(
    module: str, precision: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == module else object())
    with pytest.raises(UsageError) as caught:
        open_engine(checkpoint(), CPU, "openvino", precision)
    assert str(caught.value) == f"`engine` openvino {says}"


def test_an_engine_that_does_not_load_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    installed("openvino")

    def broken() -> tuple[str, ...]:
        raise ImportError("libtbb.so.12: no such file")

    monkeypatch.setattr("irflow_cli.engines.backends.table.capabilities", broken)
    assert BACKENDS["openvino"].refusal("bf16") == "does not load (libtbb.so.12: no such file)"


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_a_variable_that_keeps_bfloat16_away_is_named(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine != "torch":
        installed(engine)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert BACKENDS[engine].refusal("bf16") == "is kept from the instructions for bf16 by ONEDNN_MAX_CPU_ISA=AVX2"
    assert BACKENDS[engine].refusal("fp32") is None


def test_gradients_come_from_torch() -> None:
    known = checkpoint()
    engine = open_engine(known, CPU, installed("onnxruntime"))
    x_t = torch.rand(1, 3, 8, 8, requires_grad=True)
    engine(x_t, torch.zeros(1)).sum().backward()
    assert x_t.grad is not None
    assert x_t.grad.abs().sum() > 0


def test_exact_modules_compute_in_float32_whatever_the_rest_does() -> None:
    known, seen = checkpoint(), {}
    for name in ("entry", "encoder.0.0.first", "encoder.0.0.second", "time"):
        known.net.get_submodule(name).register_forward_hook(lambda *one, name=name: seen.update({name: one[2].dtype}))
    call = BACKENDS["torch"].open(Loaded(known), "bf16")
    assert call(torch.rand(1, 3, 8, 8), torch.zeros(1), None).dtype == torch.float32
    assert seen.pop("encoder.0.0.second") == torch.bfloat16
    assert set(seen.values()) == {torch.float32}
