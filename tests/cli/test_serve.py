"""`irflow serve` where it cannot begin: one line each."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def test_what_makes_no_sense_is_said_in_one_line(irflow: Callable, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for arguments, said in (
            ((tmp_path / "gone",), "there is no folder"),
            ((tmp_path, "--port", 70000), "--port goes from 0 to 65535"),
            ((tmp_path, "--max-pixels", 0), "--max-pixels must be above 0"),
            ((tmp_path, "--port", taken.getsockname()[1]), "give another --port"),
        ):
            done = irflow("serve", *arguments)
            assert done.code == 2 and said in done.err and done.err.count("\n") == 1 and done.out == ""


def test_a_missing_extra_is_named(irflow: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("irflow_cli.serve", "uvicorn"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = irflow("serve", tmp_path)
    assert done.code == 1 and "pip install 'irflow[serve]'" in done.err and done.err.count("\n") == 1


def test_the_page_does_not_wait_for_torch() -> None:
    loaded = "import sys, irflow_cli.serve.run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded]).returncode == 0
