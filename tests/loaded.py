"""Checkpoints that were never in a file, and the engines that are installed here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import TINY, lively

from irflow_cli.engines.backends.table import BACKENDS
from irflow_cli.runtime.checkpoints import Card, Checkpoint, digest_of
from irflow_cli.tasks import TASKS

CPU = torch.device("cpu")


def installed(name: str, precision: str = "fp32") -> str:
    """Return the name of an engine; skip the test, and say why, where it is not installed."""
    reason = BACKENDS[name].refusal(precision)
    if reason:
        pytest.skip(f"{name} {reason}")
    return name


def checkpoint(seed: int = 0, **changes: object) -> Checkpoint:
    """Return a checkpoint of random weights."""
    spec = replace(TINY, **changes)
    net = lively(spec, seed)
    task = "prior" if spec.time_map else "denoise"
    return Checkpoint(net, Card(task, spec, TASKS[task].sigma_max, digest=digest_of(net.state_dict())), Path(f"tiny-{task}"))
