"""OpenVINO: the fastest engine on x86 processors, in float32, bfloat16 and int8."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any, Union

import torch
from torch import Tensor

from irflow_cli.runtime.device import bf16_kept_away

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "bf16"}  # of the precision, by ours; int8: what its graph leaves in floats
KEPT = 3  # programs for pictures of one size, each with memory of its own
Sources = Union[bytes, "tuple[bytes, bytes]"]  # an ONNX model, or OpenVINO's own with its weights
Shapes = tuple[tuple[int, ...], ...]  # of the inputs, channels last
AT_ONCE = 2  # sizes that have their own program at first sight: places where noise is looked for, and the picture
AGAIN = 3  # times that a size is seen before it gets its own program, where another has one


def capabilities() -> tuple[str, ...]:
    """Return what OpenVINO says of this processor, such as FP32, BF16 and INT8, but for bfloat16 that a variable keeps away: it
    lists that, too, and then fails."""
    import openvino

    listed = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(one for one in listed if one != "BF16" or not bf16_kept_away())


class OpenVino:
    """A graph, compiled. Called with float32 tensors on the CPU, it returns one of the shape of the first.

    exact: modules of the network that stay in float32 in every precision; quantised: the graph's picture part in int8 (see
    `parts`). Programs for one size are a tenth to a quarter faster than one for all sizes, a little more exact in bfloat16, and
    take a quarter of a second to make. The first two sizes have one at once, others when they come again and again. Calls of
    several threads wait for each other: a program has memory for one.
    """

    def __init__(
        self, graph: Sources, precision: str, threads: int, exact: Sequence[str] = (), quantised: Sources | None = None
    ) -> None:
        import openvino

        from irflow_cli.engines.backends.parts import channels_last, in_two, kept_exact, read, rounded

        self.core, self.steering = openvino.Core(), None
        # One request at a time: all threads work on it.
        self.options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": HINTS[precision] if "BF16" in capabilities() else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self.model = read(graph)
        self.names = [one.get_any_name() for one in self.model.inputs]
        if precision == "fp32":
            self.model = channels_last(self.model)
        else:
            steering, picture = in_two(self.model)
            # The inputs' layout is a part of what stays exact: a picture that is turned in bfloat16 has lost its last bits.
            self.model = kept_exact(channels_last(read(quantised) if quantised else picture), exact)
            if self.options["INFERENCE_PRECISION_HINT"] == "bf16":
                self.model = rounded(self.model, exact)
            if steering:
                options = {**self.options, "INFERENCE_PRECISION_HINT": "f32"}
                self.steering = self.core.compile_model(steering, "CPU", options).create_infer_request()
        self.any: Any = None
        self.own: OrderedDict[Shapes, Any] = OrderedDict()
        self.seen: Counter[Shapes] = Counter()
        self.lock = threading.Lock()

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the network's output (B, 3, H, W), in the channels-last layout."""
        with self.lock:
            return self._inferred(*inputs)

    def _inferred(self, *inputs: Tensor) -> Tensor:
        given = dict(zip(self.names, inputs, strict=True))
        if self.steering:
            from irflow_cli.engines.backends.parts import steering_input

            found = self.steering.infer([given["t"].numpy()], share_outputs=True).to_tuple()
            given |= {steering_input(place): torch.from_numpy(one) for place, one in enumerate(found)}
        values = [given[one.get_any_name()] for one in self.model.inputs]
        laid = [_last(one).numpy() for one in values]
        request = self._request(tuple(one.shape for one in laid))
        # A copy: the request's own memory is written over by its next call.
        return torch.from_numpy(request.infer(laid, share_inputs=True, share_outputs=True)[0].copy()).permute(0, 3, 1, 2)

    def _request(self, shapes: Shapes) -> Any:
        self.seen[shapes] += 1
        if shapes in self.own:
            self.own.move_to_end(shapes)
            return self.own[shapes]
        if len(self.own) < AT_ONCE or self.seen[shapes] >= AGAIN:
            self.own[shapes] = self._compiled(shapes)
            if len(self.own) > KEPT:
                self.own.popitem(last=False)
            return self.own[shapes]
        self.any = self.any or self._compiled(None)
        return self.any

    def _compiled(self, shapes: Shapes | None) -> Any:
        model = self.model.clone()
        if shapes is not None:
            model.reshape({place: list(shape) for place, shape in enumerate(shapes)})
        return self.core.compile_model(model, "CPU", self.options).create_infer_request()


def _last(one: Tensor) -> Tensor:
    """Return an input with its channels last, without a copy where it lies so."""
    return one.permute(0, 2, 3, 1).contiguous() if one.ndim == 4 else one.contiguous()
