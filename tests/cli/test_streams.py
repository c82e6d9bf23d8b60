"""Standard input and output: pipes, signals while they are waited for, a full disk behind them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image


def test_pipes(tmp_path: Path, tiny_checkpoint, picture_file) -> None:
    command = [sys.executable, "-m", "irflow_cli", "restore", "-", "--task", "derain"]
    command += ["--checkpoint", str(tiny_checkpoint("derain")), "--format", "png"]
    source = picture_file("in.jpg")
    done = subprocess.run(command, input=source.read_bytes(), capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("PNG", (64, 48))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_two_ctrl_c_stop_a_command_that_waits_for_a_pipe(restore, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, opened = threading.Event(), threading.Event()

    def read(most: int) -> bytes:
        waits.set()
        opened.wait(30)
        return b""

    def interrupt() -> None:
        waits.wait(30)
        for _ in range(2):
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=read)))
    threading.Thread(target=interrupt).start()
    try:
        assert restore("-", "-o", "out.png").code == 130
        assert not opened.is_set()
    finally:
        opened.set()


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM")
def test_a_sigterm_ends_a_command_that_waits_for_its_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "irflow_cli", "degrade", "-", "-o", str(tmp_path / "out.png"), "--kind", "noise"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdin is not None
        running.stdin.write(bytes(2**21))  # more than a pipe holds: it reads by now, and wants more
        running.stdin.flush()
        running.send_signal(signal.SIGTERM)
        assert running.wait(120) == 143
        assert b"Traceback" not in running.stderr.read()
    assert not list(tmp_path.iterdir())


SLOW_DISK = """
import sys, time
from irflow_cli.cli import app
from irflow_cli.runtime import files

def flush(file):
    print("begun", file=sys.stderr, flush=True)
    time.sleep(SECONDS)

files.flush_to_disk = flush
app.main()
"""


def on_slow_disk(seconds: int, source: Path, folder: Path) -> list[str]:
    """Return a command that degrades a picture into a folder and takes so long to write it."""
    slow = SLOW_DISK.replace("SECONDS", str(seconds))
    return [sys.executable, "-c", slow, "degrade", str(source), "-o", str(folder), "--kind", "noise"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGHUP")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_leaves_nothing_half_written(number: int, tmp_path: Path, picture_file) -> None:
    command = on_slow_disk(60, picture_file("a.png"), tmp_path / "out")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert any("begun" in line for line in running.stderr)
        assert list((tmp_path / "out").iterdir())
        running.send_signal(number)
        assert running.wait(30) == 128 + number
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGHUP")
def test_signals_that_are_to_be_ignored_are(tmp_path: Path, picture_file) -> None:
    def ignore() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    command = on_slow_disk(1, picture_file("a.png"), tmp_path / "out")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=ignore) as running:
        assert running.stderr is not None
        assert any("begun" in line for line in running.stderr)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            running.send_signal(number)
        assert running.wait(60) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "irflow_cli", "config", "show", "--json"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 5
    assert (
        done.stderr.splitlines()[-1]
        == "irflow: cannot write to standard output: No space left on device; make room and run again"
    )


TELLING = """
import os, sys
from irflow_cli.cli.streams import keep_apart, say
from irflow_cli.images.chatter import caught

keep_apart()
errors = sys.stderr  # as a thread has it that is about to write when another begins to read
with caught() as said:
    errors.write("irflow: a.png: is told meanwhile\\n")
    os.write(2, b"TIFFReadDirectory: a library's word\\n")
print(*said)
sys.stderr = errors
os.close(errors.fileno())
say("lost, as nobody listens")
os.write(2, b"nor to this")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="numbers of files")
def test_what_irflow_says_while_a_picture_is_read_is_not_its_readers_word() -> None:
    done = subprocess.run([sys.executable, "-c", TELLING], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("TIFFReadDirectory: a library's word\n", "irflow: a.png: is told meanwhile\n")
