"""No step of training waits for the host, so that a GPU is kept busy (see `device_step`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from irflow_cli.tasks import TASKS

# Operations that are launched for a batch, whatever its size, and for a step of Muon on a tiny network: what they are, and a
# tenth more. More of them mean that a GPU waits for its host.
DRAWS = {"denoise": 2600, "derain": 5850, "deraindrop": 5200, "prior": 2200, "all-in-one": 10200}
MUON = 230
WAITS = ("item", "condition", "boolean index", "nonzero", "two devices", "copy that blocks", "copy into place that blocks")


@pytest.fixture(scope="module")
def steps() -> dict[str, dict[str, Any]]:
    """What went wrong and what was launched, by case, in a process of its own: it registers a device, for good."""
    script = Path(__file__).parent.parent / "device_step.py"
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return {line["case"]: line for line in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.parametrize("task", [*TASKS, "pairs", "drawn ahead"])
def test_a_step_of_training_does_not_wait_for_the_host(steps: dict[str, dict[str, Any]], task: str) -> None:
    assert steps[task]["wrong"] is None


@pytest.mark.parametrize("task", TASKS)
def test_draws_and_optimiser_launch_few_operations(steps: dict[str, dict[str, Any]], task: str) -> None:
    assert task in DRAWS, f"add a row to DRAWS: {steps[task]['draws']} operations, and a tenth more"
    assert 0 < steps[task]["draws"] <= DRAWS[task]
    assert 0 < steps[task]["muon"] <= MUON


@pytest.mark.parametrize("wait", WAITS)
def test_what_would_wait_is_found(steps: dict[str, dict[str, Any]], wait: str) -> None:
    assert steps[wait]["wrong"]
