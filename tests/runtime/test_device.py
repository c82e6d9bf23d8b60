"""Devices and their memory."""

from __future__ import annotations

import pytest
import torch

from irflow_cli.runtime.device import memory_of


def test_the_memory_of_a_cpu_is_known_on_linux() -> None:
    known = memory_of(torch.device("cpu"))
    assert known is None or 0 < known[0] <= known[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_named_device_that_is_missing_is_an_error(restore, picture_file) -> None:
    done = restore(picture_file("in.png"), "--device", "cuda")
    assert (done.code, done.out) == (5, "")
    assert "--device auto" in done.err
