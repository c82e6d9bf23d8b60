"""Files of a batch as they are read and written: sizes, formats, full disks, memory."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image
from results import below

from irflow_cli.batch import store as batch
from irflow_cli.batch.journal import NAME, sha256
from irflow_cli.batch.plan import Files
from irflow_cli.errors import IrflowError
from irflow_cli.images.decode import read_picture
from irflow_cli.runtime.files import PART, _begun
from irflow_cli.services.degrade_files import DegradeRequest, degrade_files


def test_an_output_that_takes_no_file_ends_the_run_at_the_first_result(
    degrade, album: Path, tmp_path: Path, monkeypatch
) -> None:
    def closed(**options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", closed)
    done = degrade(album, "-o", tmp_path / "out")
    lines = done.err.splitlines()
    assert (done.code, sum("cannot write" in line for line in lines)) == (1, 1)
    assert "Read-only file system; give another --output, or make this one writable" in done.err


def test_a_folder_that_takes_no_file_fails_beside_others_that_do(irflow, tiny_checkpoint, album, tmp_path, monkeypatch) -> None:
    real = tempfile.mkstemp

    def closed(**options: object) -> object:
        if "closed" in Path(options["dir"]).parts:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(**options)

    monkeypatch.setattr(tempfile, "mkstemp", closed)
    shutil.copytree(album, tmp_path / "in" / "open")
    shutil.copytree(album, tmp_path / "in" / "closed")
    done = irflow("restore", tmp_path / "in", "-r", "--task", "derain", "--checkpoint", tiny_checkpoint("derain"))
    made = sorted(path.relative_to(tmp_path / "in").as_posix() for path in (tmp_path / "in").rglob("*.derain.*"))
    assert (done.code, made) == (1, ["open/a.derain.png", "open/b.derain.jpg", "open/below/c.derain.webp"])


def test_a_closed_folder_within_an_open_output_is_its_pictures_failure(degrade, album, tmp_path, monkeypatch) -> None:
    real = tempfile.mkstemp

    def closed(**options: object) -> object:
        if Path(options["dir"]).name == "below":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(**options)

    monkeypatch.setattr(tempfile, "mkstemp", closed)
    shutil.copytree(album / "below", tmp_path / "in" / "below")  # the first of all
    shutil.copytree(album, tmp_path / "in" / "open", ignore=shutil.ignore_patterns("below"))
    done = degrade(tmp_path / "in", "-o", tmp_path / "out", "-r")
    assert (done.code, below(tmp_path / "out")) == (1, ["open/a.png", "open/b.jpg"])


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_written(degrade, tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    for name in ("a.png", "b.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(noisy).save(tmp_path / "in" / name)
    resource = pytest.importorskip("resource", reason="no limits of processes")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        done = degrade(tmp_path / "in", "-o", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.code == 5
    assert "make room" in done.err
    assert below(tmp_path / "out") == []


def test_large_pictures_are_refused_by_their_pixels(degrade, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png", 48, 64)
    done = degrade(source, "-o", tmp_path / "out.png", "--max-pixels", 3000)
    assert (done.code, "--max-pixels" in done.err) == (1, True)
    assert degrade(source, "-o", tmp_path / "out.png", "--max-pixels", 3072).code == 0


def test_formats_and_quality(degrade, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png", 64, 64)
    sizes = []
    for quality in (30, 95):
        assert degrade(source, "-o", tmp_path / f"{quality}", "--format", "jpg", "--quality", quality).code == 0
        sizes.append((tmp_path / f"{quality}" / "in.jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    assert degrade(source, "-o", tmp_path / "webp", "--format", "webp", "--lossless", "--severity", 0).code == 0
    assert np.array_equal(read_picture(tmp_path / "webp" / "in.webp").pixels, read_picture(source).pixels)
    refused = degrade(source, "-o", tmp_path / "avif", "--format", "avif", "--lossless")
    assert (refused.code, "without loss" in refused.err) == (1, True)


def test_a_file_larger_than_any_picture_is_refused_unread(degrade, album: Path, tmp_path: Path) -> None:
    with (album / "huge.png").open("wb") as file:
        file.truncate(2**42)  # of nothing, which takes no room
    done = degrade(album, "-o", tmp_path / "out")
    assert (done.code, below(tmp_path / "out")) == (1, ["a.png", "b.jpg"])
    assert "huge.png: too large a file" in done.err


@pytest.mark.parametrize("where", ["encode_picture", "decode_picture"])
def test_memory_that_runs_out_while_a_file_is_read_or_written_is_one_failure(
    where: str, degrade, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = getattr(batch, where), []

    def once(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return real(*arguments, **options)

    monkeypatch.setattr(batch, where, once)
    done = degrade(album, "-o", tmp_path / "out")
    assert (done.code, below(tmp_path / "out")) == (1, ["b.jpg"])
    assert "a.png: not enough memory" in done.err


@pytest.fixture
def eight(picture_file) -> Path:
    """Return a folder of eight pictures, more than a run has in hand at a time."""
    for index in range(8):
        folder = picture_file(f"eight/{index}.png", 20 + index, 24).parent
    return folder


def noisy(pictures: Path, out: Path, severity: float = 25.0, **options: bool) -> DegradeRequest:
    return DegradeRequest(Files((str(pictures),), out, **options), "noise", severity)


@pytest.mark.parametrize("options", [{"resume": True}, {"skip_existing": True}], ids=["resume", "skip"])
def test_two_runs_at_once_share_the_work_and_lose_nothing(eight: Path, tmp_path: Path, options: dict[str, bool]) -> None:
    whole = {outcome.job.target.name: outcome.digest for outcome in degrade_files(noisy(eight, tmp_path / "whole"))}
    one = degrade_files(noisy(eight, tmp_path / "out", **options))  # it has planned, and found nothing done
    outcomes = [next(one), *degrade_files(noisy(eight, tmp_path / "out", **options)), *one]
    assert {outcome.status for outcome in outcomes} == {"done", "skipped"}
    assert {outcome.job.target.name: outcome.digest for outcome in outcomes if outcome.status == "done"} == whole
    assert {path.name: sha256(path.read_bytes()) for path in (tmp_path / "out").iterdir() if path.name != NAME} == whole


@pytest.mark.parametrize("options", [{}, {"resume": True}], ids=["plain", "resume"])
def test_a_run_that_meets_another_ends_in_one_line_and_replaces_nothing(
    eight: Path, tmp_path: Path, options: dict[str, bool]
) -> None:
    one = degrade_files(noisy(eight, tmp_path / "out", **options))
    next(one)
    list(degrade_files(noisy(eight, tmp_path / "out", 40.0, skip_existing=True)))  # other noise: its results are not the same
    with pytest.raises(IrflowError, match=r"another one writes to .*; let it end, or give each a `shard`") as told:
        list(one)
    assert type(told.value) is IrflowError
    last = degrade_files(noisy(eight, tmp_path / "last", 40.0))
    assert (tmp_path / "out" / "7.png").read_bytes() == [one.job.target.read_bytes() for one in last][7]


def test_what_a_dead_run_had_begun_is_cleared_and_what_another_is_at_stays(eight: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    dead, alive = (Path(tempfile.mkstemp(PART, _begun(out / "7.png"), out)[1]) for _ in range(2))
    alive.unlink()
    one = degrade_files(noisy(eight, out, resume=True))
    next(one)
    alive.touch()
    assert {outcome.status for outcome in one} == {"done"}
    assert (dead.exists(), alive.exists()) == (False, True)


@pytest.mark.parametrize("year", [1971, 2090])
def test_clocks_that_differ_change_nothing(degrade, album: Path, tmp_path: Path, year: int) -> None:
    other = (year - 1970) * 31_556_952  # seconds of the clock of the machine that wrote the files
    for path in album.iterdir():
        os.utime(path, (other, other))
    command = (album, "-o", tmp_path / "out", "--resume", "--json")
    assert degrade(*command).code == 0
    for path in (tmp_path / "out").iterdir():
        os.utime(path, (other, other))
    done = degrade(*command)
    assert [json.loads(line)["status"] for line in done.out.splitlines()] == ["skipped", "skipped"]
    for path in album.glob("*.png"):
        Image.fromarray(scene(20, 30, 5)).save(path)  # changed, by a clock that says that it is older
        os.utime(path, (other - 1000, other - 1000))
    statuses = {Path(row["input"]).name: row["status"] for row in map(json.loads, degrade(*command).out.splitlines())}
    assert statuses == {"a.png": "done", "b.jpg": "skipped"}


def test_a_file_called_so_is_no_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-").touch()
    assert batch.is_taken(Path("./-").absolute()) and not batch.is_taken(batch.STREAM)
