"""No step of training waits for the host, so that a GPU is kept busy (see `device_step`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from irflow_cli.tasks import TASKS

WAITS = ("item", "condition", "boolean index", "nonzero", "two devices")


@pytest.fixture(scope="module")
def steps() -> dict[str, str | None]:
    """What went wrong, by case, in a process of its own: it registers a device, for good."""
    script = Path(__file__).parent.parent / "device_step.py"
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return {line["case"]: line["wrong"] for line in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.parametrize("task", TASKS)
def test_a_step_of_training_does_not_wait_for_the_host(steps: dict[str, str | None], task: str) -> None:
    assert steps[task] is None


@pytest.mark.parametrize("wait", WAITS)
def test_what_would_wait_is_found(steps: dict[str, str | None], wait: str) -> None:
    assert steps[wait]
