"""Batches as a shell sees them: one picture after another, and what happens when something goes wrong."""

from __future__ import annotations

import itertools
import json
import os
import signal
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image
from results import below

from irflow_cli.batch import store as batch
from irflow_cli.engines.restorer import Restorer
from irflow_cli.errors import DeviceError, DiskFull
from irflow_cli.images.decode import read_picture
from irflow_cli.images.picture import Picture
from irflow_cli.nets import UNet
from irflow_cli.services import degrade_files

SURPRISES = (
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    struct.error,
    ZeroDivisionError,
    OSError,
    AssertionError,
)


def break_call(monkeypatch: pytest.MonkeyPatch, where: str, number: int, error: Exception) -> None:
    """Let one call, from 0 on, raise an error: of the work, or of a function of `batch.store`."""
    place, name = (degrade_files, "degrade_picture") if where == "work" else (batch, where)
    plain, calls = getattr(place, name), itertools.count()

    def broken(*given: object, **options: object) -> object:
        if next(calls) == number:
            raise error
        return plain(*given, **options)

    monkeypatch.setattr(place, name, broken)


@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("where", ["decode_picture", "encode_picture", "work"])
def test_whatever_one_picture_raises_is_its_own_failure(
    degrade, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, surprise: type[Exception]
) -> None:
    for name in ("a", "b", "c"):
        picture_file(f"in/{name}.png", 20, 20)
    break_call(monkeypatch, where, 1, surprise("out of the blue"))
    done = degrade(tmp_path / "in", "-o", tmp_path / "out")
    assert done.code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    assert f"b.png: cannot be worked on ({surprise.__name__}: " in done.err
    assert "Traceback" not in done.err


def test_fail_fast_stops_and_failures_are_told_once(degrade, tmp_path: Path, picture_file) -> None:
    for index in range(8):
        picture_file(f"in/{index}.png")
    for index in (0, 1):
        (tmp_path / "in" / f"{index}.png").write_text("broken")
    done = degrade(tmp_path / "in", "-o", tmp_path / "out", "--fail-fast")
    assert done.code == 1
    assert len(below(tmp_path / "out")) < 4
    done = degrade(tmp_path / "in", "-o", tmp_path / "all")
    assert done.code == 1
    assert len(below(tmp_path / "all")) == 6
    assert done.err.count("in/1.png") == 1
    assert "2 of 8 pictures failed" in done.err


@pytest.mark.parametrize(
    "options",
    [
        "--task derain",
        "--task denoise",
        "--task denoise --sigma 9 --strength 0.5",
        "--task denoise --sigma 0",
        "--task denoise --method prior",
    ],
)
def test_pictures_of_one_size_share_calls(
    irflow, tiny_checkpoint, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    for index in range(5):
        scattered = scene(40, 56, index) + np.random.default_rng(index).normal(0, 2 * index, (40, 56, 3))
        picture_file(f"in/{index}.png")
        Image.fromarray(scattered.clip(0, 255).astype(np.uint8)).save(tmp_path / "in" / f"{index}.png")
    picture_file("in/3b.png", 40, 56, "L")
    (tmp_path / "in" / "4b.png").write_text("no picture")
    picture_file("in/5.png", 64, 40)
    sizes: list[int] = []
    forward = UNet.forward

    def counted(net: UNet, x_t: torch.Tensor, *rest: object) -> torch.Tensor:
        sizes.append(len(x_t))
        return forward(net, x_t, *rest)

    monkeypatch.setattr(UNet, "forward", counted)
    options += (
        f" --checkpoint {tiny_checkpoint('prior' if 'prior' in options else options.split()[1])} --steps 1 --device cpu --json"
    )
    command = ("restore", tmp_path / "in", *options.split())
    ends = {count: irflow(*command, "--batch", count, "-o", tmp_path / str(count)) for count in (1, 3)}
    assert [end.code for end in ends.values()] == [1, 1]  # for the one that is no picture
    looks = [1] * 14 if options.startswith("--task denoise") and "prior" not in options else []  # for a picture's noise
    assert sorted(sizes) == sorted([] if "--sigma 0" in options else [1] * 11 + [3] + looks)
    told = [[{**json.loads(line), "output": "", "seconds": 0} for line in end.out.splitlines()] for end in ends.values()]
    assert told[0] == told[1]
    for path in (tmp_path / "1").iterdir():
        one, other = (read_picture(tmp_path / folder / path.name).pixels.astype(int) for folder in ("1", "3"))
        assert np.abs(one - other).max() <= 1


def test_verbose_and_quiet(degrade, album: Path, tmp_path: Path) -> None:
    assert "megapixels in" in degrade(album, "-o", tmp_path / "one", "-v").err
    assert "2 pictures: 2 done" in degrade(album, "-o", tmp_path / "two").err
    assert degrade(album, "-o", tmp_path / "three", "-q").err == ""


def test_what_computes_is_told_to_those_who_ask(irflow, tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    command = ("restore", picture_file("in/a.png", 20, 20), "--checkpoint", tiny_checkpoint("derain"), "--engine", "torch")
    command = (*command, "--device", "cpu", "--precision", "fp32")
    assert "(torch fp32, cpu)\n" in irflow(*command, "-v", "-o", tmp_path / "one").err
    assert "torch" not in irflow(*command, "-o", tmp_path / "two").err
    [told] = irflow(*command, "--json", "-o", tmp_path / "three").out.splitlines()
    assert json.loads(told)["engine"] == "torch fp32, cpu"


def test_ctrl_c_finishes_the_picture_at_hand(degrade, tmp_path: Path, picture_file, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(9):
        picture_file(f"in/{index}.png")
    calls, real, handler = [], batch.encode_picture, signal.getsignal(signal.SIGINT)

    def encode(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments, **options)

    monkeypatch.setattr(batch, "encode_picture", encode)
    done = degrade(tmp_path / "in", "-o", tmp_path / "out")
    assert done.code == 130
    assert 2 <= len(below(tmp_path / "out")) <= 5
    assert all(read_picture(path).pixels.shape == (48, 64, 3) for path in (tmp_path / "out").iterdir())
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_ctrl_c_stops_at_once(degrade, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*arguments: object) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.01)

    monkeypatch.setattr("irflow_cli.services.degrade_files.degrade_picture", work)
    done = degrade(album, "-o", tmp_path / "out")
    assert done.code == 130
    assert not (tmp_path / "out").exists()


def test_hundreds_of_files_are_worked_on(degrade, picture_file, tmp_path: Path) -> None:
    data = picture_file("one.png", 4, 4).read_bytes()
    (tmp_path / "many").mkdir()
    for index in range(300):
        (tmp_path / "many" / f"{index}.png").write_bytes(data)
    assert len(degrade(tmp_path / "many", "-o", tmp_path / "out", "-n").out.splitlines()) == 300
    (tmp_path / "many" / "150.png").write_bytes(data[:40])
    done = degrade(tmp_path / "many", "-o", tmp_path / "out")
    assert done.code == 1
    assert len(done.out.splitlines()) == len(list((tmp_path / "out").iterdir())) == 299
    assert "150.png" in done.err


def test_a_picture_too_large_for_the_memory_does_not_stop_the_others(irflow, tmp_path: Path, monkeypatch) -> None:
    real = degrade_files.degrade_picture

    def work(picture: Picture, *rest: object) -> Picture:
        if picture.pixels.ndim == 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 9 bytes")
        return real(picture, *rest)  # type: ignore[arg-type]

    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "in" / "grey.png")
    Image.fromarray(scene(20, 20)).save(tmp_path / "in" / "other.png")
    monkeypatch.setattr(degrade_files, "degrade_picture", work)
    done = irflow("degrade", tmp_path / "in", "-o", tmp_path / "out", "--kind", "noise")
    assert done.code == 1
    assert "grey.png: not enough memory" in done.err
    assert below(tmp_path / "out") == ["other.png"]


def test_pictures_that_do_not_fit_the_memory_together_are_worked_on_alone(
    restore, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        picture_file(f"in/{name}.png")
    real = Restorer.restore_batch

    def together(self: Restorer, pictures: list[Picture], *rest: object) -> object:
        if len(pictures) > 1:
            pictures[0].pixels[:9] = 0  # begun, in place
            raise MemoryError
        return real(self, pictures, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Restorer, "restore_batch", together)
    assert restore(tmp_path / "in", "-o", tmp_path / "out", "--batch", 2).code == 0
    assert restore(tmp_path / "in", "-o", tmp_path / "alone").code == 0
    for name in ("a.png", "b.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


@pytest.mark.parametrize(
    ("where", "error"),
    [("work", DeviceError), ("decode_picture", DeviceError), ("write_atomically", DiskFull)],
)
def test_all_that_is_written_is_told_when_an_error_ends_the_run(
    where: str, error: type[Exception], degrade, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(6):
        picture_file(f"in/{index}.png")
    break_call(monkeypatch, where, 3, error("it is gone"))
    done = degrade(tmp_path / "in", "-o", tmp_path / "out")
    assert (done.code, done.err.splitlines()[-1]) == (5, "irflow: it is gone")
    told = [Path(line).name for line in done.out.splitlines()]
    assert told[:3] == ["0.png", "1.png", "2.png"]
    assert told == below(tmp_path / "out")


def test_a_result_written_after_one_that_could_not_be_is_told(
    degrade, picture_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(3):
        picture_file(f"in/{index}.png")
    plain, last_begun = batch.write_atomically, threading.Event()
    real = degrade_files.degrade_picture

    def work(picture: Picture, *rest: Any) -> Picture:
        done = real(picture, *rest)
        if next(worked) == 2:
            threading.Timer(0.2, last_begun.set).start()  # when it is with the writers
        return done

    def write(path: Path, *rest: Any, **options: Any) -> object:
        if path.name == "1.png":
            assert last_begun.wait(30)
            raise DiskFull("no room")
        return plain(path, *rest, **options)

    worked = itertools.count()
    monkeypatch.setattr(degrade_files, "degrade_picture", work)
    monkeypatch.setattr(batch, "write_atomically", write)
    done = degrade(tmp_path / "in", "-o", tmp_path / "out")
    assert (done.code, done.err.splitlines()[-1]) == (5, "irflow: no room")
    assert [Path(line).name for line in done.out.splitlines()] == ["0.png", "2.png"] == below(tmp_path / "out")


def test_a_dry_run_ends_at_a_failure_if_asked(degrade, picture_file, tmp_path: Path) -> None:
    given = (tmp_path / "gone.png", tmp_path / "lost.png", picture_file("a.png", 20, 20), "-o", tmp_path / "out", "-n")
    assert degrade(*given).err.count("irflow: ") == 2
    done = degrade(*given, "--fail-fast")
    assert (done.code, done.out, done.err.count("irflow: ")) == (1, "", 2), done.err  # the failure, and how to go on
