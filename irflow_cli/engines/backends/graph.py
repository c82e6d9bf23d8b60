"""A network as an ONNX graph, which every other engine reads, and the contract it is called by."""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from irflow_cli.nets import Network

OPSET = 17
SIDE = 64  # pixels of the picture that the graph is traced with; every multiple of the network's grid works


class Untraceable(Exception):
    """A network that has no graph; its text says why."""


class Portable(nn.Module):
    """What is traced: the network in the ordinary layout, called with all of its inputs by their place."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = net

    def forward(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return the network's output, (B, 3, H, W)."""
        return self.net(x_t, t, degraded)


def input_names(net: Network) -> tuple[str, ...]:
    """Return the names of a graph's inputs: x_t (B, 3, H, W), t (B,), or (B, 1, H, W) of a network that takes the time of every
    pixel, and degraded (B, 3, H, W) of one that sees it too."""
    return ("x_t", "t", "degraded") if net.contract.condition else ("x_t", "t")


def example(net: Network, side: int = SIDE, batch: int = 1) -> tuple[Tensor, ...]:
    """Return inputs of a graph: a picture of slow waves under noise, whose times differ, as in use."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, 8, 8, generator=generator)
    clean = nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)
    x_t = clean + 0.1 * torch.randn(clean.shape, generator=generator)
    t = torch.linspace(0, 0.5, batch)
    times = t if not net.contract.time_map else t.reshape(-1, 1, 1, 1).expand(-1, 1, side, side).contiguous()
    return (x_t, times, x_t.clone()) if net.contract.condition else (x_t, times)


def trace(net: Network) -> bytes:
    """Return a network as an ONNX model of any batch size, height and width, sides being multiples of its `multiple`."""
    # A module of its own, in the ordinary layout: the network that is given keeps its own.
    ordinary = _ordinary(net)
    names, inputs = input_names(net), example(net)
    sizes: dict[int, str] = {0: "batch", 2: "height", 3: "width"}
    axes = dict.fromkeys((*names, "output"), sizes)
    if not net.contract.time_map:
        axes["t"] = {0: "batch"}
    target = io.BytesIO()
    options: dict[str, Any] = {
        "input_names": list(names),
        "output_names": ["output"],
        "dynamic_axes": axes,
        "opset_version": OPSET,
    }
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that sides are not padded in the graph is what is meant
        torch.onnx.export(Portable(ordinary), inputs, target, dynamo=False, **options)  # type: ignore[arg-type]
    return target.getvalue()


def _ordinary(net: Network) -> Network:
    return copy.deepcopy(net).to("cpu", torch.float32, memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]


def padded(x_t: Tensor, t: Tensor, degraded: Tensor | None, net: Network) -> tuple[Tensor, ...]:
    """Return what a graph is given in place of the network's own inputs: sides mirrored up to its grid, times of every pixel
    where it takes them."""
    inputs = [net.contract.padded(x_t)]
    if net.contract.time_map:
        times = t if t.ndim == 4 else t[:, None, None, None].expand(-1, 1, *x_t.shape[-2:])
        inputs.append(net.contract.padded(times))
    else:
        inputs.append(t)
    if net.contract.condition:
        inputs.append(net.contract.padded(x_t if degraded is None else degraded))
    return tuple(inputs)
