"""Devices and their memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from irflow_cli.nets import SIZES, build
from irflow_cli.runtime import device as module
from irflow_cli.runtime.device import choose_training_precision, memory_of
from irflow_cli.training.loop import forward_of
from irflow_cli.training.options import TrainRequest


def test_the_memory_of_a_cpu_is_known_on_linux() -> None:
    known = memory_of(torch.device("cpu"))
    assert known is None or 0 < known[0] <= known[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_named_device_that_is_missing_is_an_error(restore, picture_file) -> None:
    done = restore(picture_file("in.png"), "--device", "cuda")
    assert (done.code, done.out) == (5, "")
    assert "--device auto" in done.err


@pytest.mark.parametrize(
    ("name", "machine", "has", "dtype"),
    [
        ("auto", "x86_64", True, torch.bfloat16),
        ("auto", "x86_64", False, torch.float32),
        ("auto", "aarch64", True, torch.float32),
        ("fp32", "x86_64", True, torch.float32),
        ("bf16", "x86_64", False, torch.bfloat16),
    ],
)
def test_training_takes_bfloat16_by_itself_where_it_was_measured_to_be_faster(
    name: str, machine: str, has: bool, dtype: torch.dtype, monkeypatch
) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: machine)
    monkeypatch.setattr(module, "has_bf16", lambda: has)
    assert choose_training_precision(name, torch.device("cpu")) == dtype


def test_a_run_is_trained_in_what_is_chosen(monkeypatch) -> None:
    request = TrainRequest(Path(), Path(), "derain", minutes=1)
    net, picture, seen = build(SIZES["small"]), torch.zeros(1, 3, 32, 32), []
    next(one for one in net.modules() if isinstance(one, torch.nn.Conv2d)).register_forward_hook(
        lambda net, inputs, output: seen.append(output.dtype)
    )
    for dtype in (torch.bfloat16, torch.float32):
        monkeypatch.setattr("irflow_cli.training.loop.choose_training_precision", lambda name, device, dtype=dtype: dtype)
        forward_of(request, net, torch.device("cpu"))(picture, torch.zeros(1), picture)
    assert seen == [torch.bfloat16, torch.float32]
