"""Checkpoints for other programs: ONNX, and OpenVINO's own format, compared with torch before they are written."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from irflow_cli.engines.backends.graph import example, input_names
from irflow_cli.engines.backends.onnxruntime import OnnxRuntime
from irflow_cli.engines.backends.openvino import OpenVino
from irflow_cli.engines.backends.table import BACKENDS, Loaded, unloaded
from irflow_cli.errors import CheckpointError, UsageError, require
from irflow_cli.nets import alone
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint
from irflow_cli.runtime.files import write_together
from irflow_cli.tasks import task_of

PARITY = 1e-4  # the most that an exported network may differ from torch, white being 1
SIZES = ((96, 1), (64, 2))  # side and batch of the pictures that they are compared on: not those the graph was traced with
# By format: the engine that reads it, and how its main file ends.
FORMATS = {"onnx": ("onnxruntime", ".onnx"), "openvino": ("openvino", ".xml")}


@dataclass(frozen=True)
class ExportRequest:
    """A checkpoint's name or path, the format to write it in, and the file; None for one of its name in this folder."""

    name: str
    format: str = "onnx"
    output: Path | None = None
    overwrite: bool = False


def export_checkpoint(request: ExportRequest) -> tuple[Path, float]:
    """Write a checkpoint for other programs, in float32, for pictures of any size; return the file, and by how much its
    results differ from torch's at most.

    Raises UsageError where the format's library is missing or does not load, or the file exists, CheckpointError for
    third-party networks, and when the two differ by more than PARITY.
    """
    require(request.format in FORMATS, f"unknown `format` {request.format!r}; there are {', '.join(FORMATS)}")
    engine, ending = FORMATS[request.format]
    refusal = BACKENDS[engine].refusal("fp32")
    require(refusal is None, f"{engine} {refusal}")
    checkpoint = load_checkpoint(request.name)
    target = request.output or Path(f"{checkpoint.path.stem}{ending}")
    files = [target] if request.format == "onnx" else [target, target.with_suffix(".bin")]
    require(target.suffix == ending, f"a file of format {request.format} ends in {ending}, got {target.name!r}")
    folders = [path for path in files if path.is_dir()]
    require(not folders, f"{(folders or files)[0]} is a folder; give another `output`")
    taken = [path for path in files if path.exists() and not request.overwrite]
    require(not taken, f"{(taken or files)[0]} exists; give `overwrite`, or another `output`")
    if not checkpoint.card.spec.trainable:
        raise CheckpointError(f"{checkpoint.path} is a third-party network; only irflow's own can be exported")
    try:
        contents = WRITERS[request.format](Loaded(checkpoint).graph(), metadata(checkpoint))
        difference = parity(checkpoint, contents)
    except ImportError as error:
        raise UsageError(f"{engine} {unloaded(error)}; install it again") from None
    if difference > PARITY:
        raise CheckpointError(f"{engine} differs from torch by {difference:.2g} on this network; it was not written")
    write_together(dict(zip(files, contents, strict=True)), overwrite=request.overwrite)
    return target, difference


def metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """Return what the file says of itself: the checkpoint's card, as JSON, but for the second network of some, which is not in
    the graph; and the contract by which it is called."""
    contract, card = checkpoint.net.contract, checkpoint.card
    scores, trained = (
        {key: value for key, value in entries.items() if not key.startswith("confidence")}
        for entries in (card.scores, card.trained)
    )
    return {
        "irflow": replace(card, spec=alone(card.spec), scores=scores, trained=trained).to_json(),
        "inputs": " ".join(input_names(checkpoint.net)),
        "predicts": contract.predicts,
        "range": json.dumps(contract.range),
        "multiple": str(contract.multiple),
        "time_map": str(contract.time_map).lower(),
        **({"noise": json.dumps(contract.noise)} if task_of(card.task).prior else {}),
        "licence": card.licence,
    }


def as_onnx(graph: bytes, entries: dict[str, str]) -> list[bytes]:
    """Return an ONNX model with metadata."""
    import onnx

    model = onnx.load_from_string(graph)
    for output in model.graph.output:  # of some networks the trace does not know it
        output.type.tensor_type.shape.dim[1].dim_value = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    onnx.helper.set_model_props(model, entries)
    onnx.checker.check_model(model)
    return [model.SerializeToString()]


def as_openvino(graph: bytes, entries: dict[str, str]) -> list[bytes]:
    """Return an OpenVINO model with metadata, below `irflow` of its runtime information, and its weights."""
    import openvino

    model = openvino.Core().read_model(graph)
    for key, value in entries.items():
        model.set_rt_info(value, ["irflow", "card" if key == "irflow" else key])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.xml")
        openvino.save_model(model, path, compress_to_fp16=False)
        return [path.read_bytes(), path.with_suffix(".bin").read_bytes()]


WRITERS: dict[str, Callable[[bytes, dict[str, str]], list[bytes]]] = {"onnx": as_onnx, "openvino": as_openvino}


@torch.inference_mode()
def parity(checkpoint: Checkpoint, contents: list[bytes]) -> float:
    """Return by how much an exported model's results differ from torch's at most, on pictures of several sizes."""
    program: Callable[..., Tensor]
    program = OnnxRuntime(contents[0], 1) if len(contents) == 1 else OpenVino((contents[0], contents[1]), "fp32", 1)
    pairs = ((program(*inputs), checkpoint.net(*inputs)) for inputs in (example(checkpoint.net, *size) for size in SIZES))
    return max(float((found - expected).abs().max()) for found, expected in pairs)
