"""What the rows of speed say of engines and of the start."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import engine_speed
import numpy as np
import pytest
import speed
from engine_speed import MEASURE, PLAIN, Speed

SIDE = 32


def test_torch_as_it_comes_is_measured_in_a_process_of_its_own(monkeypatch) -> None:
    monkeypatch.setattr(engine_speed, "ENGINES", engine_speed.ENGINES[:1])
    monkeypatch.setattr(engine_speed, "one_call", lambda engine, side: 60.0)  # in this process alone
    run, plain = engine_speed.engines("derain", SIDE, rounds=1)
    assert run[:3] == (MEASURE, 60 / (SIDE**2 / 1e6), 1)
    assert (plain.name, plain.plain) == (PLAIN, 1)
    assert 0 < plain.seconds < run.seconds
    assert plain.ratio == pytest.approx(run.seconds / plain.seconds) == pytest.approx(1 / run.plain)


def test_engines_are_compared_within_each_round(monkeypatch) -> None:
    class Here:
        def __init__(self, *options, **more) -> None: ...
        def __enter__(self):
            return self

        def __exit__(self, *error) -> None: ...
        def submit(self, work, *rest):
            return SimpleNamespace(result=lambda: next(plain))

    taken = {"torch fp32": iter([1.0, 2.0, 4.0]), "torch bf16": iter([0.5, 1.0, 0.5])}
    plain = iter([2.0, 4.0, 8.0])
    monkeypatch.setattr(engine_speed, "ENGINES", tuple(tuple(name.split()) for name in taken))
    monkeypatch.setattr(engine_speed, "there", list)  # also on processors without instructions for bf16
    monkeypatch.setattr(engine_speed, "open_engine", lambda checkpoint, device, *choice: " ".join(choice))
    monkeypatch.setattr(engine_speed, "one_call", lambda engine, side: next(taken[engine]))
    monkeypatch.setattr(engine_speed, "ProcessPoolExecutor", Here)
    found = {one.name: one for one in engine_speed.engines("derain", 1000, rounds=3)}
    assert list(found) == ["torch fp32", PLAIN, "torch bf16"]
    assert found["torch bf16"] == Speed("torch bf16", 0.5, 2, 4)
    assert found[PLAIN] == Speed(PLAIN, 4, 0.5, 1)
    monkeypatch.setattr(engine_speed, "engines", lambda name: found.values())
    rows = list(engine_speed.engine_rows())
    assert len(rows) == 3 * len(engine_speed.TIMED)
    says = "0.50 s/MP, 2.0 times as fast as torch fp32, 4.0 as torch fp32 as it comes |"
    assert rows[2] == f"| one call of `denoise` by torch bf16 | {says}"
    assert all(row.startswith(speed.OF_ENGINES) for row in rows)


def test_cpu_seconds_are_those_of_the_command_and_the_system_for_it(monkeypatch) -> None:
    used = iter(np.repeat(np.cumsum([0, 9, 3, 1, 2]), 2)[1:-1])
    threads = [sys.executable, "-c", "import os, sys; sys.exit(os.environ['OMP_NUM_THREADS'] != '1')"]

    def usage(whose: int) -> SimpleNamespace:
        now = next(used)
        return SimpleNamespace(ru_utime=now, ru_stime=now / 4)

    monkeypatch.setattr(engine_speed.resource, "getrusage", usage)
    assert engine_speed.cpu_seconds(threads, repeats=3) == 2 * 1.25
    monkeypatch.undo()
    with pytest.raises(subprocess.CalledProcessError):
        engine_speed.cpu_seconds([sys.executable, "-c", "raise SystemExit(1)"])


def test_the_start_is_told_apart_by_what_is_loaded(monkeypatch, picture_file, irflow) -> None:
    asked: list[list[str]] = []
    pytest.importorskip("openvino")

    def counted(command: list[str]) -> float:
        asked.append(command)
        return float(len(asked))

    monkeypatch.setattr(engine_speed, "cpu_seconds", counted)
    monkeypatch.setattr(engine_speed, "STARTED", (("torch", "fp32"), ("torch", "int8")))  # the second is not there
    rows = list(engine_speed.start_rows(picture_file("128 x 128.png")))
    assert rows == [
        "| start: `restore` of 128 x 128, one step, by torch fp32 | 1.0 CPU seconds on one thread |",
        "| start: in it, Python with NumPy and OpenCV | 2.0 CPU seconds on one thread |",
        "| start: in it, `import torch` | 1.0 CPU seconds on one thread |",
        "| start: in it, `import openvino` | 2.0 CPU seconds on one thread |",
        "| start: in it, irflow's own modules | 2.0 CPU seconds on one thread |",
        "| start: in it, the network read, prepared and called, and files, by torch fp32 | -4.0 CPU seconds on one thread |",
    ]
    assert all(row.startswith(speed.OF_ENGINES) for row in rows)
    assert asked[0][:3] == [sys.executable, "-m", "irflow_cli"]
    assert irflow(*asked[0][3:]).code == 0
    imported = ["import numpy, cv2, torch", "import numpy, cv2, openvino"]
    assert [command[-1] for command in asked[2:]] == [*imported, f"{imported[0]}; {engine_speed.OURS}"]


def test_every_machine_has_a_table_of_its_own(tmp_path, monkeypatch, capsys) -> None:
    for name, expected in (("AMD EPYC", "amd-epyc"), ("Intel(R) Xeon(R) Processor", "intel-xeon-processor"), ("M2", "m2")):
        monkeypatch.setattr(speed, "processor", lambda name=name: name)
        for bf16, more in ((True, ""), (False, "-without-bfloat16")):
            monkeypatch.setattr(speed, "has_bf16", lambda bf16=bf16: bf16)
            assert speed.machine() == expected + more
    page = tmp_path / "page.md"
    page.write_text("<!-- speed m1 -->\nold\n<!-- /speed -->\n\n<!-- speed m2 -->\n<!-- /speed -->\n")
    speed.put(page, ["new", "rows"], "m2")
    assert page.read_text() == "<!-- speed m1 -->\nold\n<!-- /speed -->\n\n<!-- speed m2 -->\nnew\nrows\n<!-- /speed -->\n"
    assert capsys.readouterr().err == ""
    speed.put(page, ["more"], "m3")
    assert "more" not in page.read_text()
    assert "`<!-- speed m3 -->`" in capsys.readouterr().err
