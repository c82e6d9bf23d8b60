"""The table of engines: what each needs, which precisions it has, and how it takes a network."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from textwrap import shorten
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from irflow_cli import extras
from irflow_cli.engines.backends import graph, store
from irflow_cli.engines.backends.onnxruntime import OnnxRuntime
from irflow_cli.engines.backends.openvino import OpenVino, capabilities
from irflow_cli.nets import Network
from irflow_cli.runtime.device import PRECISIONS, autocast, bf16_kept_away, has_bf16

if TYPE_CHECKING:
    from irflow_cli.runtime.checkpoints import Card, Checkpoint

Call = Callable[[Tensor, Tensor, "Tensor | None"], Tensor]  # (x_t, t, degraded) -> float32, shaped as x_t


def network_key(card: Card) -> str:
    """Return the name of a network's files in the cache: another network, or another version of irflow, has another."""
    return store.key(card.digest, card.spec.to_dict())


@dataclass(frozen=True)
class Loaded:
    """A checkpoint's network on a device, and its graphs, which are made when they are first wanted and kept in the cache.
    unkept: why something could not be kept there."""

    checkpoint: Checkpoint
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    unkept: list[str] = field(default_factory=list)

    @property
    def net(self) -> Network:
        """The network on the device."""
        return self.checkpoint.on(self.device)

    @cached_property
    def key(self) -> str:
        """Name of its files in the cache."""
        return network_key(self.checkpoint.card)

    def graph(self) -> bytes:
        """Return its ONNX model in float32. Raises Untraceable."""
        found = store.read(f"{self.key}.onnx")
        if found is None:
            if not self.checkpoint.card.spec.trainable:
                raise graph.Untraceable("it is a third-party network")
            found = graph.trace(self.checkpoint.net)
            self.heed(store.write(f"{self.key}.onnx", found))
        return found

    def int8(self) -> tuple[bytes, bytes]:
        """Return its quantised OpenVINO model and that model's weights. Raises Untraceable."""
        from irflow_cli.engines.backends.int8 import quantise

        model, weights = store.read(f"{self.key}.int8.xml"), store.read(f"{self.key}.int8.bin")
        if model is None or weights is None:
            model, weights = quantise(self.graph(), self.checkpoint)
            self.heed(store.write(f"{self.key}.int8.xml", model))
            self.heed(store.write(f"{self.key}.int8.bin", weights))
        return model, weights

    def heed(self, failure: str | None) -> None:
        """Remember why a file could not be kept in the cache, if it could not."""
        self.unkept.extend([failure] if failure else [])


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
    """An engine. usual: precisions that `auto` chooses from. needs: modules beside torch, its own first, and the extra that
    installs them. has: whether this processor has the instructions of a lower precision, as the engine sees it. slow: what it
    computes without the instructions, too, where it is asked for."""

    open: Callable[[Loaded, str], Call]
    precisions: tuple[str, ...]
    usual: tuple[str, ...]
    needs: tuple[str, ...] = ()
    extra: str = ""
    has: Callable[[str], bool] = lambda precision: precision != "bf16" or has_bf16()
    slow: tuple[str, ...] = ()

    def refusal(self, precision: str) -> str | None:
        """Return why it cannot work here in a precision; None where it can."""
        if precision not in self.precisions:
            return f"has no {precision}, only {', '.join(self.precisions)}"
        return self.missing(precision) or self.lacking(precision)

    def missing(self, precision: str) -> str | None:
        """Return what is not installed that it needs for a precision, and how to get it; None where all is there."""
        needs, extra = ((*self.needs, "nncf"), "int8") if precision == "int8" else (self.needs, self.extra)
        for module in needs:
            if importlib.util.find_spec(module) is None:
                what = "is not installed" if module == needs[0] else f"needs {module}, which is not installed"
                return f"{what}; {extras.hint(extra)}"
        return None

    def lacking(self, precision: str) -> str | None:
        """Return that this processor has no instructions for a precision, or that the engine does not load to tell; else
        None."""
        try:
            there = self.has(precision)
        except (ImportError, OSError) as error:
            return unloaded(error)
        if there:
            return None
        limit = bf16_kept_away() if precision == "bf16" else None
        what = f"is kept from the instructions for {precision} by {limit}"
        return what if limit else f"finds no instructions for {precision} in this processor"


def unloaded(error: Exception) -> str:
    """Return that an engine which is installed does not load, and why."""
    return f"does not load ({said_by(error)})"


def said_by(error: Exception) -> str:
    """Return the first line of an error that tells something; OpenVINO's begin with places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("Exception from ")] or lines
    return shorten((telling or [type(error).__name__])[0], 120, placeholder=" ...")


CAPABILITIES = {"bf16": "BF16", "int8": "INT8"}  # of OpenVINO, by our precisions that need instructions


BACKENDS: dict[str, Backend] = {
    "torch": Backend(in_torch, tuple(PRECISIONS), ("bf16", "fp32"), slow=("bf16",)),
    "openvino": Backend(
        in_openvino,
        ("fp32", "bf16", "int8"),
        ("bf16", "fp32"),
        ("openvino", "onnx"),
        "openvino",
        lambda precision: precision not in CAPABILITIES or CAPABILITIES[precision] in capabilities(),
        slow=("int8",),
    ),
    "onnxruntime": Backend(in_onnxruntime, ("fp32",), ("fp32",), ("onnxruntime", "onnx"), "onnx"),
}
