"""Folders that grow."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.batch import sources as batch
from irflow_cli.batch.plan import Files, Job
from irflow_cli.batch.store import Outcome
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import UsageError
from irflow_cli.services.restore_files import RestoreRequest
from irflow_cli.services.watch import Arrivals, watch_files


@contextmanager
def watched(request: RestoreRequest) -> Iterator[Iterator[Outcome]]:
    """Yield the outcomes of a folder that is watched, and stop in the end, which has to be the end of them."""
    stop = threading.Event()
    coming = watch_files(request, stop=stop, every=0.02)
    yield coming
    stop.set()
    assert list(coming) == []


def test_what_comes_is_restored_once_and_failures_wait_for_a_change(settings: RestoreSettings, tmp_path: Path) -> None:
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    Image.fromarray(scene(24, 32)).save(inbox / "a.png")
    with watched(RestoreRequest(Files((str(inbox),), out), settings)) as coming:
        assert next(coming).job.target == out / "a.png"
        (inbox / "b.png").write_bytes((inbox / "a.png").read_bytes()[:-400])  # a copy that stalled
        failed = next(coming)
        assert (failed.job.source.name, failed.status) == ("b.png", "failed")
        Image.fromarray(scene(24, 32, 1)).save(inbox / "c.png")
        assert next(coming).job.source.name == "c.png"  # and not b.png again
        (inbox / "b.png").write_bytes((inbox / "a.png").read_bytes())
        assert (done := next(coming)).status == "done" and done.job.source.name == "b.png"
    assert sorted(path.name for path in out.glob("*.png")) == ["a.png", "b.png", "c.png"]


def test_a_file_that_grows_is_not_read(tmp_path: Path) -> None:
    path, arrivals = tmp_path / "a.png", Arrivals()
    job = Job(path, tmp_path / "out.png")
    for size in (1, 2, 3):
        path.write_bytes(bytes(size))
        assert arrivals.whole([job]) == []
    assert arrivals.whole([job]) == [job]
    arrivals.fail(path)
    assert arrivals.whole([job]) == []
    assert arrivals.whole([]) == [] and not arrivals.waiting and not arrivals.failed  # nothing is kept of what is gone


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": ("-",)}, "`watch` is for folders"),
        ({"inputs": ("no-such-folder",)}, "`watch` needs a folder"),
        ({"overwrite": True}, "`watch` leaves results alone"),
        ({"dry_run": True}, "contradict"),
        ({"name_template": "{index}{ext}"}, "{index}"),
        ({"output": Path("out.png")}, "is one file"),
    ],
)
def test_what_cannot_be_watched_is_refused(settings: RestoreSettings, tmp_path: Path, change: dict, said: str) -> None:
    files = replace(Files((str(tmp_path),), tmp_path / "out"), **change)
    with pytest.raises(UsageError, match=said):
        watch_files(RestoreRequest(files, settings))


def test_what_is_there_has_to_have_a_place_each(settings: RestoreSettings, tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        Image.fromarray(scene(24, 32)).save(tmp_path / name)
    with pytest.raises(UsageError, match="would both become"):
        watch_files(RestoreRequest(Files((str(tmp_path),), tmp_path / "out", format="png"), settings))


def test_a_picture_without_a_place_fails_once_and_the_others_go_on(settings: RestoreSettings, tmp_path: Path) -> None:
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    Image.fromarray(scene(24, 32)).save(inbox / "a.png")
    with watched(RestoreRequest(Files((str(inbox),), out, format="png"), settings)) as coming:
        assert next(coming).job.target == out / "a.png"
        made = (out / "a.png").read_bytes()
        Image.fromarray(scene(24, 32)).save(inbox / "a.jpg")  # of the same place, and before it in the order of names
        late = next(coming)
        assert (late.job.source, late.status) == (inbox / "a.jpg", "failed")
        assert late.error == (
            f"{inbox / 'a.png'} and {inbox / 'a.jpg'} would both become {out / 'a.png'}; "
            "give a `name_template`, or work on them one by one"
        )
        Image.fromarray(scene(24, 32, 1)).save(inbox / "b.png")
        assert (done := next(coming)).status == "done" and done.job.source.name == "b.png"
        (inbox / "a.jpg").rename(inbox / "c.jpg")
        assert (done := next(coming)).status == "done" and done.job.source.name == "c.jpg"
    assert (out / "a.png").read_bytes() == made
    with watched(RestoreRequest(Files((str(inbox),), tmp_path / "new", fail_fast=True), settings)) as coming:
        assert [next(coming).status for _ in range(3)] == ["done"] * 3


def test_a_folder_that_does_not_answer_is_told_once_and_looked_at_again(
    settings: RestoreSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, out, find, looks = tmp_path / "in", tmp_path / "out", batch.find_pictures, itertools.count()
    inbox.mkdir()
    Image.fromarray(scene(24, 32)).save(inbox / "a.png")

    def answer(folder: Path, *, deep: bool) -> list[Path]:
        if next(looks) in (4, 5, 6):
            Image.fromarray(scene(24, 32, 1)).save(inbox / "b.png")
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return find(folder, deep=deep)

    monkeypatch.setattr(batch, "find_pictures", answer)
    with watched(RestoreRequest(Files((str(inbox),), out), settings)) as coming:
        assert next(coming).job.target == out / "a.png"
        failed = next(coming)
        assert (failed.status, failed.job.source) == ("failed", inbox)
        assert "Input/output error" in str(failed.error)
        assert next(coming).job.target == out / "b.png"


def test_the_command_ends_well_when_it_is_told_to_or_not_read(settings: RestoreSettings, tmp_path: Path) -> None:
    Image.fromarray(scene(24, 32)).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "irflow_cli", "restore", "--checkpoint", str(settings.checkpoint), "--device", "cpu"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    watch = subprocess.Popen([*command, str(tmp_path), "-o", str(tmp_path / "out"), "--watch"], text=True, **options)
    assert watch.stdout.readline() == f"{tmp_path / 'out' / 'a.png'}\n"
    watch.send_signal(signal.SIGINT)
    _, said = watch.communicate(timeout=60)
    assert (watch.returncode, "Traceback" in said) == (0, False)
    raw = subprocess.Popen([*command, "-", "--raw", "40x24"], stdin=subprocess.PIPE, **options)
    frame = scene(24, 40).tobytes()
    raw.stdin.write(frame)
    raw.stdin.flush()
    assert np.frombuffer(raw.stdout.read(len(frame)), np.uint8).size == len(frame)  # it does not wait for more
    raw.stdout.close()
    _, said = raw.stdin.write(frame), raw.stdin.close()
    assert raw.wait(timeout=60) == 141
    assert raw.stderr.read() == b""
    raw.stderr.close()
