"""Pairs and commands to measure, and `irflow bench` over them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from drawn import scene
from PIL import Image

from irflow_cli.bench import run

TOOL = """
import sys
from PIL import Image
picture, what = Image.open(sys.argv[1]), sys.argv[3] if len(sys.argv) > 3 else ""
if what == "fail":
    sys.exit("no licence")
if what == "crop":
    picture = picture.crop((1, 0, *picture.size))
picture.point(lambda value: value // 255 if what == "range" else value).save(sys.argv[2])
"""


@pytest.fixture
def bench(irflow, tiny_checkpoint) -> Callable:
    """Return `irflow bench` with a tiny checkpoint."""

    def call(data: Path, *arguments: object, task: str = "derain"):
        return irflow("bench", data, "--task", task, "--checkpoint", tiny_checkpoint(task), *arguments)

    return call


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str], str]:
    (tmp_path / "tool.py").write_text(TOOL)
    return lambda what: shlex.join([sys.executable, str(tmp_path / "tool.py"), "{in}", "{out}", what])


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """Return a list that grows with every picture a method works on, but for warm-ups."""
    calls: list[str] = []
    measured = run._measured

    def measure(this, case, method, fresh):
        calls.append(case.picture)
        return measured(this, case, method, fresh)

    monkeypatch.setattr(run, "_measured", measure)
    return calls


@pytest.fixture
def clean_set(tmp_path: Path) -> Path:
    folder = tmp_path / "clean set"
    folder.mkdir()
    for seed in range(2):
        Image.fromarray(scene(70, 81, 5 * seed)).save(folder / f"{seed}.png")
    return folder
