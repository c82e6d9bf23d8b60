"""A network in 8-bit integers: post-training quantisation by NNCF. It costs a tenth of a decibel or more, so it is never chosen
unless asked for."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor

from irflow_cli.engines.backends.calibration import calibration_set, can_calibrate
from irflow_cli.engines.backends.graph import Untraceable
from irflow_cli.runtime.checkpoints import Checkpoint

# OpenVINO computes the way up in bfloat16, whatever the graph says: to quantise it, and the sums with what comes from the way
# down, would only convert values to and fro. This is how the tracer names those sums.
SUMS = r"/net/Add(_\d+)?"


def quantise(graph: bytes, checkpoint: Checkpoint) -> tuple[bytes, bytes]:
    """Return the picture's part of a graph, in ONNX, as an OpenVINO model in int8 and its weights (see `parts`). Takes some
    seconds.

    Activations are quantised by what the calibration set shows. Raises Untraceable for networks that there is no such set for.
    """
    if not can_calibrate(checkpoint.card.task):
        raise Untraceable(f"there are no pictures to calibrate a network of task {checkpoint.card.task} on")
    logging.getLogger("nncf").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import nncf  # pyright: ignore[reportMissingImports]
        import openvino

    from irflow_cli.engines.backends.parts import in_two, read, steering_input

    model = read(graph)
    names = [one.get_any_name() for one in model.inputs]
    steering, picture = in_two(model)
    steer = openvino.Core().compile_model(steering, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}) if steering else None

    def inputs(values: tuple[Tensor, ...]) -> dict[str, Any]:
        given = dict(zip(names, map(Tensor.numpy, values), strict=False))
        found = steer([given["t"]]).to_tuple() if steer else ()
        given |= {steering_input(place): one for place, one in enumerate(found)}
        return {one.get_any_name(): given[one.get_any_name()] for one in picture.inputs}

    shown = [inputs(values) for values in calibration_set(checkpoint)]
    with contextlib.redirect_stdout(io.StringIO()):  # where it draws its progress
        quantised = nncf.quantize(
            picture,
            nncf.Dataset(shown),
            subset_size=len(shown),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(types=["ConvolutionBackpropData"], patterns=[SUMS], validate=False),
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "int8.xml")
        openvino.save_model(quantised, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()
