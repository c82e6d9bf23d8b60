"""The table of engines: what each needs, which precisions it has, and how it takes a network."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from irflow_cli.engines.backends import graph, store
from irflow_cli.engines.backends.onnxruntime import OnnxRuntime
from irflow_cli.engines.backends.openvino import OpenVino, capabilities
from irflow_cli.nets import Network
from irflow_cli.runtime import extras
from irflow_cli.runtime.device import PRECISIONS, autocast, has_bf16

if TYPE_CHECKING:
    from irflow_cli.runtime.checkpoints import Checkpoint

Call = Callable[[Tensor, Tensor, "Tensor | None"], Tensor]  # (x_t, t, degraded) -> float32, shaped as x_t


@dataclass(frozen=True)
class Loaded:
    """A checkpoint's network on a device, and its graphs, which are made when they are first wanted and kept in the cache."""

    checkpoint: Checkpoint
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def net(self) -> Network:
        """The network, moved to the device."""
        return self.checkpoint.net.to(self.device)

    @cached_property
    def key(self) -> str:
        """Name of its files in the cache: another network, or another version of irflow, has another."""
        return store.key(self.checkpoint.card.digest, self.checkpoint.card.spec.to_dict())

    def graph(self) -> bytes:
        """Return its ONNX model in float32. Raises Untraceable."""
        found = store.read(f"{self.key}.onnx")
        if found is None:
            if not self.checkpoint.card.spec.trainable:
                raise graph.Untraceable("it is a third-party network")
            found = graph.trace(self.checkpoint.net)
            store.write(f"{self.key}.onnx", found)
        return found

    def int8(self) -> tuple[bytes, bytes]:
        """Return its quantised OpenVINO model and that model's weights. Raises Untraceable."""
        from irflow_cli.engines.backends.int8 import quantise

        model, weights = store.read(f"{self.key}.picture8.xml"), store.read(f"{self.key}.picture8.bin")
        if model is None or weights is None:
            model, weights = quantise(self.graph(), self.checkpoint)
            store.write(f"{self.key}.picture8.xml", model)
            store.write(f"{self.key}.picture8.bin", weights)
        return model, weights


def _exactly(forward: Callable[..., Tensor], module: nn.Module, *inputs: Tensor) -> Tensor:
    """Return what a module computes in float32, whatever the rest of the network is cast to."""
    with torch.autocast(inputs[0].device.type, enabled=False):
        return forward(module, *(one.float() for one in inputs))


def in_torch(loaded: Loaded, precision: str) -> Call:
    """Return the network as it is, in a precision that torch casts to."""
    net, dtype = loaded.net, PRECISIONS[precision]
    for name in net.contract.exact:
        module = net.get_submodule(name)
        module.forward = partial(_exactly, type(module).forward, module)

    def call(x_t: Tensor, t: Tensor, degraded: Tensor | None) -> Tensor:
        with autocast(loaded.device, dtype):
            return net(x_t, t, degraded).float()

    return call


def _by_graph(program: Callable[..., Tensor], net: Network) -> Call:
    """Return a network whose graph a program computes, for pictures of any size."""

    def call(x_t: Tensor, t: Tensor, degraded: Tensor | None) -> Tensor:
        height, width = x_t.shape[-2:]
        return program(*graph.padded(x_t, t, degraded, net))[..., :height, :width]

    return call


def in_openvino(loaded: Loaded, precision: str) -> Call:
    """Return the network compiled by OpenVINO."""
    quantised = loaded.int8() if precision == "int8" else None
    exact = loaded.net.contract.exact
    return _by_graph(OpenVino(loaded.graph(), precision, torch.get_num_threads(), exact, quantised), loaded.net)


def in_onnxruntime(loaded: Loaded, precision: str) -> Call:
    """Return the network in a session of ONNX Runtime."""
    return _by_graph(OnnxRuntime(loaded.graph(), torch.get_num_threads()), loaded.net)


@dataclass(frozen=True)
class Backend:
    """An engine. needs: modules beside torch and how they are installed, for precisions that need them. has_bf16: whether this
    processor has the instructions, as the engine sees it. usual: precisions that `auto` takes, the first that passes."""

    open: Callable[[Loaded, str], Call]
    precisions: tuple[str, ...]
    usual: tuple[str, ...]
    needs: tuple[tuple[str, str], ...] = ()
    has_bf16: Callable[[], bool] = has_bf16

    def refusal(self, precision: str) -> str | None:
        """Return why it cannot work here in a precision; None where it can."""
        if precision not in self.precisions:
            return f"has no {precision}, only {', '.join(self.precisions)}"
        for module, extra in self.needs + ((("nncf", "int8"),) if precision == "int8" else ()):
            if importlib.util.find_spec(module) is None:
                return f"is not installed; {extras.hint(extra)}"
        if precision == "bf16" and not self.has_bf16():
            return "this processor has no bfloat16 instructions"
        return None


BACKENDS: dict[str, Backend] = {
    "torch": Backend(in_torch, tuple(PRECISIONS), ("bf16", "fp32")),
    "openvino": Backend(
        in_openvino,
        ("fp32", "bf16", "int8"),
        ("bf16", "fp32"),
        (("openvino", "openvino"),),
        lambda: "BF16" in capabilities(),
    ),
    "onnxruntime": Backend(in_onnxruntime, ("fp32",), ("fp32",), (("onnxruntime", "onnx"),)),
}
