"""Pictures in files and checkpoints of random weights, for every test."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import TINY, lively, scene
from PIL import Image

from irflow_cli.runtime.checkpoints import Card, save_checkpoint
from irflow_cli.tasks import TASKS


@pytest.fixture(scope="session", autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


@pytest.fixture(autouse=True)
def _plain_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute networks by torch in float32, unless a test says otherwise: the same bits on every machine, and nothing timed."""
    monkeypatch.setenv("IRFLOW_ENGINE", "torch")
    monkeypatch.setenv("IRFLOW_PRECISION", "fp32")


COUNTS: dict[str, int] = {}


@pytest.fixture
def robustness() -> Callable[[str, int], None]:
    """Return a function that adds to a count which is told when the tests are done."""

    def count(what: str, number: int) -> None:
        COUNTS[what] = COUNTS.get(what, 0) + number

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how much the robustness tests have tried."""
    for what, number in COUNTS.items():
        terminalreporter.write_line(f"robustness: {number} {what}")


@pytest.fixture
def picture_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a scene to a file and returns its path."""

    def write(name: str, height: int = 48, width: int = 64, mode: str = "RGB", **options: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene(height, width)).convert(mode).save(path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives a checkpoint of random weights, for a task, small enough for any test; that of a
    "plain prior" does not know the time of every pixel."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def make(task: str) -> Path:
        path = folder / f"tiny-{task}.safetensors"
        if not path.exists():
            spec, name = replace(TINY, time_map=task == "prior"), task.rpartition(" ")[2]
            save_checkpoint(path, lively(spec, seed=1, std=0.02).state_dict(), Card(name, spec, TASKS[name].sigma_max))
        return path

    return make
