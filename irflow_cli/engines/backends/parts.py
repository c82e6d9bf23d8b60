"""An OpenVINO model for lower precisions: what a rounding to 8 bits of mantissa would cost quality stays in float32.

Two things do: the time, whose sines turn hundreds of times, and the first layers, which see the picture's full values where the
others see differences. What is computed of the time alone becomes a model of its own, for a few numbers a picture. The
weights of the other layers are rounded so that smooth parts of a picture come out as they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import openvino  # pyright: ignore[reportMissingImports]
import torch
from openvino import opset8  # pyright: ignore[reportMissingImports]
from openvino.preprocess import PrePostProcessor  # pyright: ignore[reportMissingImports]

Model = Any
MODEL: Any = openvino.Model
HEAVY = ("Convolution", "MatMul", "FakeQuantize")  # begin in a lower precision
SOURCES = ("Constant", "Parameter", "Result")  # have no precision of their own


def read(sources: bytes | tuple[bytes, bytes]) -> Model:
    """Return the model of an ONNX file, or of OpenVINO's own two files."""
    return openvino.Core().read_model(*(sources if isinstance(sources, tuple) else (sources,)))  # type: ignore[arg-type]


def channels_last(model: Model) -> Model:
    """Return a model whose pictures, inputs and output, are (B, H, W, C)."""
    steps = PrePostProcessor(model.clone())
    for place, one in enumerate(model.inputs):
        if one.get_partial_shape().rank.get_length() == 4:
            steps.input(place).tensor().set_layout(openvino.Layout("NHWC"))
            steps.input(place).model().set_layout(openvino.Layout("NCHW"))
    steps.output().tensor().set_layout(openvino.Layout("NHWC"))
    steps.output().model().set_layout(openvino.Layout("NCHW"))
    return steps.build()


def steering_input(place: int) -> str:
    """Return the name of an input of the picture's part."""
    return f"steering.{place}"


def in_two(model: Model) -> tuple[Model | None, Model]:
    """Return what a model computes of its input `t` alone, as a model, and the rest, which gets that as further inputs, (B, C,
    1, 1) each and in the same order; None and the model itself where there is no such part."""
    model = model.clone()
    known: dict[str, frozenset[str]] = {}  # by an operation's name: the inputs whose values it hangs on
    cuts: dict[Any, list[Any]] = {}  # by a value: who takes it
    left = False
    for operation in model.get_ordered_ops():
        sources = [one.get_source_output() for one in operation.inputs()]
        own = [known[source.get_node().get_name()] for source in sources]
        kind = operation.get_type_name()
        mine = frozenset([operation.get_friendly_name()]) if kind == "Parameter" else frozenset().union(*own)
        known[operation.get_name()] = frozenset(f"shape of {name}" for name in mine - {"t"}) if kind == "ShapeOf" else mine
        if not mine - {"t"} or kind == "ShapeOf":
            continue
        for one, source, of in zip(operation.inputs(), sources, own, strict=True):
            if of == {"t"} and _is_a_vector(source):
                cuts.setdefault(source, []).append(one)
            left |= of == {"t"} and not _is_a_vector(source)
    if not cuts:
        return None, model
    times = [one for one in model.get_parameters() if one.get_friendly_name() == "t"]
    others = [one for one in model.get_parameters() if one.get_friendly_name() != "t"]
    steering = MODEL(list(cuts), times, "steering").clone()
    further = []
    for place, (source, takers) in enumerate(cuts.items()):
        name = steering_input(place)
        entry = opset8.parameter(source.get_partial_shape(), openvino.Type.f32, name=name)
        entry.output(0).set_names({name})
        for taker in takers:
            taker.replace_source_output(entry.output(0))
        further.append(entry)
    return steering, MODEL(model.get_results(), others + (times if left else []) + further, "picture")


def _is_a_vector(value: Any) -> bool:
    """Return whether a value is (B, C, 1, 1)."""
    shape = value.get_partial_shape()
    return (
        shape.rank.is_static and len(shape) == 4 and all(side.is_static and side.get_length() == 1 for side in list(shape)[2:])
    )


def exact_in(model: Model, modules: Iterable[str]) -> set[str]:
    """Return the names of the operations up to the first heavy ones that are not of `modules`, by their names in the
    network."""
    within = tuple(f".net.{name}." for name in modules)
    exact: set[str] = set()
    for operation in model.get_ordered_ops():
        name, kind = operation.get_friendly_name(), operation.get_type_name()
        sources = {one.get_source_output().get_node().get_friendly_name() for one in operation.inputs()}
        ours = not kind.startswith(HEAVY) or name.replace("/", ".").startswith(within)
        if ours and sources <= exact:
            exact.add(name)
    return exact - {one.get_friendly_name() for one in model.get_ops() if one.get_type_name() in SOURCES}


def kept_exact(model: Model, modules: Iterable[str]) -> Model:
    """Return a model in which the operations of `exact_in` stay in float32, whatever it is compiled to."""
    exact = exact_in(model, modules)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.xml")
        openvino.save_model(model, path, compress_to_fp16=False)
        tree = ElementTree.parse(path)
        for layer in tree.iterfind("layers/layer"):
            if layer.get("name") in exact:
                marks = layer.find("rt_info")
                marks = ElementTree.SubElement(layer, "rt_info") if marks is None else marks
                ElementTree.SubElement(marks, "attribute", {"name": "precise", "version": "0"})
        return openvino.Core().read_model(ElementTree.tostring(tree.getroot()), path.with_suffix(".bin").read_bytes())


def rounded(model: Model, modules: Iterable[str]) -> Model:
    """Return a model whose convolutions, but for those of `modules`, have weights that bfloat16 can hold."""
    within = tuple(f".net.{name}." for name in modules)
    model = model.clone()
    for operation in model.get_ops():
        weights = operation.input_value(1).get_node() if operation.get_type_name() == "Convolution" else None
        exact = operation.get_friendly_name().replace("/", ".").startswith(within)
        if weights is not None and weights.get_type_name() == "Constant" and not exact:
            operation.input(1).replace_source_output(opset8.constant(keeping_sums(weights.data)).output(0))
    return model


def keeping_sums(weights: np.ndarray) -> np.ndarray:
    """Return weights (O, I, h, w), float32, rounded to bfloat16 one after the other, each with the error of those before it.

    So the sums over h and w hardly change, and with them what a kernel answers where a picture is smooth. Rounded to nearest,
    weights change that by a part of it, and a grey level goes along. The smallest come last: their steps are the finest.
    """
    flat = weights.reshape(*weights.shape[:2], -1).astype(np.float32)
    order = np.argsort(-np.abs(flat), -1)
    taps = np.take_along_axis(flat, order, -1)
    error = np.zeros_like(taps[..., 0])
    for place in range(taps.shape[-1]):
        wanted = taps[..., place] + error
        taps[..., place] = torch.from_numpy(wanted).bfloat16().float().numpy()
        error = wanted - taps[..., place]
    np.put_along_axis(flat, order, taps, -1)
    return flat.reshape(weights.shape)
