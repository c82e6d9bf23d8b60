"""Pictures in files, checkpoints of random weights, and the command line as a shell sees it, for every test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn import TINY, lively, png, save, scene
from PIL import Image

from irflow_cli.cli.app import run
from irflow_cli.runtime.checkpoints import Card, save_checkpoint
from irflow_cli.tasks import TASKS


@pytest.fixture(scope="session", autouse=True)
def _threads() -> None:
    """Compute on two threads, or on one where `pytest -n` has a process on every core: threads that wait for a core that others
    hold take three times the processor's time. Processes that tests start do the same."""
    os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture(autouse=True)
def _plain_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute networks by torch in float32, unless a test says otherwise: the same bits on every machine, and nothing timed."""
    monkeypatch.setenv("IRFLOW_ENGINE", "torch")
    monkeypatch.setenv("IRFLOW_PRECISION", "fp32")


@pytest.fixture
def in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in project/below, with user/ for the user's own configuration, both in `tmp_path`."""
    (tmp_path / "project" / "below").mkdir(parents=True)
    (tmp_path / "user").mkdir()
    monkeypatch.chdir(tmp_path / "project" / "below")
    monkeypatch.setattr("platformdirs.user_config_dir", lambda name: str(tmp_path / "user"))


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


@pytest.fixture
def mask_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a mask with a white box (or what is given) and returns its path."""

    def write(name: str = "mask.png", values: np.ndarray | None = None, height: int = 48, width: int = 64) -> Path:
        if values is None:
            values = np.zeros((height, width), np.uint8)
            values[10:20, 12:30] = 255
        return save(tmp_path / name, values)

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


@dataclass(frozen=True)
class Finished:
    """Exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def irflow(capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Return a function that runs `irflow` with its arguments, in this process for speed."""

    def call(*arguments: object) -> Finished:
        capsys.readouterr()
        try:
            code = run([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return folders that are not there yet, one a test: cheaper than `mktemp`, which looks at all that are there."""
    folder = tmp_path_factory.mktemp("caches")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _cache(_caches: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what commands put into the user's cache out of it."""
    monkeypatch.setenv("IRFLOW_DEBUG", "1")  # a fault is one, however well it is reported
    folder = next(_caches)
    folder.mkdir()
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(folder))


@pytest.fixture
def degrade(irflow: Callable[..., Finished]) -> Callable[..., Finished]:
    """Return `irflow degrade --kind noise`, which needs no network."""
    return lambda *arguments: irflow("degrade", *arguments, "--kind", "noise")


@pytest.fixture
def restore(irflow: Callable[..., Finished], tiny_checkpoint: Callable[[str], Path]) -> Callable[..., Finished]:
    """Return `irflow restore --task derain` with a tiny checkpoint."""
    return lambda *arguments: irflow("restore", *arguments, "--task", "derain", "--checkpoint", tiny_checkpoint("derain"))


@pytest.fixture
def album(picture_file: Callable[..., Path], tmp_path: Path) -> Path:
    """Return a folder of three pictures, one of them in a folder below."""
    for name in ("album/a.png", "album/b.jpg", "album/below/c.webp"):
        picture_file(name)
    return tmp_path / "album"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return a folder of two pairs to measure on, clean and degraded pictures of one name."""
    for seed, name in enumerate(("one", "two <b>")):
        clean = scene(64, 72, 3 * seed)
        for kind, pixels in (("clean", clean), ("degraded", clean // 2 + 60)):
            save(tmp_path / "set" / kind / f"{name}.png", pixels)
    return tmp_path / "set"


@pytest.fixture
def memory() -> Iterator[Any]:
    """Return a store of objects in memory, with three pictures and a text."""
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    for key in ("in/a.png", "in/b.png", "in/deep/c.png"):
        store.pipe_file(key, png(len(key)))
    store.pipe_file("in/notes.txt", b"no picture")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]
