"""`irflow models export`: what other programs get computes what torch does, and says how it is called."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from loaded import installed

from irflow_cli.engines.backends.graph import example
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.services import export


@pytest.mark.parametrize("task", ["derain", "prior"])
def test_an_onnx_file_computes_what_torch_does_and_says_what_it_is(task: str, tiny_checkpoint, irflow, tmp_path: Path) -> None:
    installed("onnxruntime")
    onnx = pytest.importorskip("onnx")
    import onnxruntime

    target = tmp_path / "net.onnx"
    done = irflow("models", "export", tiny_checkpoint(task), "-o", target, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["difference"] <= export.PARITY
    known = load_checkpoint(tiny_checkpoint(task))
    entries = {entry.key: entry.value for entry in onnx.load(target).metadata_props}
    assert json.loads(entries["irflow"])["task"] == task
    assert (entries["multiple"], entries["predicts"], entries["range"]) == ("2", "residual", "[0.0, 1.0]")
    assert entries["time_map"] == str(task == "prior").lower()
    assert entries.get("noise") == ("[0.5, 0.5]" if task == "prior" else None)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for side, batch in ((24, 3), (50, 1)):
        inputs = example(known.net, side, batch)
        names = entries["inputs"].split()
        found = session.run(None, {name: one.numpy() for name, one in zip(names, inputs, strict=True)})[0]
        with torch.no_grad():
            assert np.allclose(found, known.net(*inputs).numpy(), atol=export.PARITY)


def test_the_card_of_a_file_has_no_second_network_for_the_graph_has_none() -> None:
    checkpoint = load_checkpoint("deraindrop")
    assert checkpoint.card.to_json().count("confidence") > 0
    card = json.loads(export.metadata(checkpoint)["irflow"])
    assert not [key for part in ("spec", "scores", "trained") for key in card[part] if key.startswith("confidence")]
    assert card["digest"] == checkpoint.card.digest


def test_an_openvino_file_is_written_with_its_weights(tiny_checkpoint, irflow, tmp_path: Path) -> None:
    installed("openvino")
    import openvino

    target = tmp_path / "net.xml"
    assert irflow("models", "export", tiny_checkpoint("derain"), "--format", "openvino", "-o", target).code == 0
    model = openvino.Core().read_model(target)
    assert model.get_rt_info(["irflow", "multiple"]).astype(str) == "2"
    assert [one.get_any_name() for one in model.inputs] == ["x_t", "t"]
    done = irflow("models", "export", tiny_checkpoint("derain"), "--format", "openvino", "-o", target)
    assert (done.code, "exists; give --overwrite, or another --output" in done.err) == (2, True)


def test_a_file_that_would_differ_is_not_written(tiny_checkpoint, irflow, tmp_path: Path, monkeypatch) -> None:
    installed("onnxruntime")
    monkeypatch.setattr(export, "parity", lambda *arguments: 0.01)
    done = irflow("models", "export", tiny_checkpoint("derain"), "-o", tmp_path / "net.onnx")
    assert (done.code, "differs from torch by 0.01" in done.err) == (4, True)
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--format", "coreml"), "unknown --format 'coreml'; there are onnx, openvino"),
        (("--format", "onnx", "-o", "net.xml"), "a file of format onnx ends in .onnx"),
    ],
)
def test_what_cannot_be_exported_is_said(arguments: tuple[str, ...], says: str, tiny_checkpoint, irflow) -> None:
    installed("onnxruntime")
    done = irflow("models", "export", tiny_checkpoint("derain"), *arguments)
    assert (done.code, says in done.err) == (2, True)


def test_nothing_is_written_where_one_of_two_files_cannot_be(tiny_checkpoint, irflow, tmp_path: Path) -> None:
    installed("openvino")
    (tmp_path / "net.bin").mkdir()
    export = ("models", "export", tiny_checkpoint("derain"), "--format", "openvino", "--overwrite", "-o")
    done = irflow(*export, tmp_path / "net.xml")
    assert (done.code, f"{tmp_path / 'net.bin'} is a folder; give another --output" in done.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["net.bin"]


def test_a_library_that_does_not_load_is_said(tiny_checkpoint, irflow, tmp_path: Path, monkeypatch) -> None:
    installed("onnxruntime")

    def broken(*arguments: object) -> None:
        raise ImportError("libgomp.so.1: no such file")

    monkeypatch.setattr(export, "OnnxRuntime", broken)
    done = irflow("models", "export", tiny_checkpoint("derain"), "-o", tmp_path / "net.onnx")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "onnxruntime does not load (libgomp.so.1: no such file); install it again" in done.err
    assert not (tmp_path / "net.onnx").exists()
