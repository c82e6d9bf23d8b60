"""`irflow serve` where it cannot begin: one line each."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from irflow_cli.extras import hint


def test_what_makes_no_sense_is_said_in_one_line(irflow: Callable, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for arguments, said in (
            ((tmp_path / "gone",), "there is no folder"),
            ((tmp_path, "--port", 70000), "--port goes from 0 to 65535"),
            ((tmp_path, "--max-pixels", 0), "--max-pixels must be above 0"),
            ((tmp_path, "--engine", "tensorrt"), "unknown --engine 'tensorrt'"),
            ((tmp_path, "--engine", "torch", "--precision", "int8"), "--engine torch has no int8"),
            ((tmp_path, "--device", "tpu"), "unknown --device 'tpu'"),
            ((tmp_path, "--port", taken.getsockname()[1]), "give another --port"),
        ):
            done = irflow("serve", *arguments)
            assert done.code == 2 and said in done.err and done.err.count("\n") == 1 and done.out == ""


def test_a_missing_extra_is_named(irflow: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("uvicorn", "starlette", "websockets"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, name, None)
            done = irflow("serve", tmp_path)
        assert done.code == 1 and f"serving needs {name}; {hint('serve')}" in done.err
        assert done.err.count("\n") == 1 and done.out == ""


def test_the_page_waits_for_nothing_that_reads_pictures() -> None:
    page = "irflow_cli.cli.app, irflow_cli.serve.run, irflow_cli.serve.app, irflow_cli.serve.guard"
    loaded = f"import sys, {page}; print({{'torch', 'numpy', 'cv2', 'PIL'}} & {{*sys.modules}} or 'none')"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True)
    assert done.stdout == "none\n", done.stdout + done.stderr
