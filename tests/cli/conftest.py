"""The command line as a shell sees it, run in this process for speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from irflow_cli.cli.app import run


@dataclass(frozen=True)
class Finished:
    """Exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def irflow(capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Return a function that runs `irflow` with its arguments."""

    def call(*arguments: object) -> Finished:
        capsys.readouterr()
        try:
            code = run([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return call


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what commands put into the user's cache out of it."""
    monkeypatch.setenv("IRFLOW_DEBUG", "1")  # a fault is one, however well it is told
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
