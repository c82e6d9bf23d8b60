"""Classical methods, commands and third-party networks beside irflow, on the same bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image
from results import records_of

from irflow_cli.bench import baselines
from irflow_cli.errors import ImageError
from irflow_cli.extras import hint

LARGE = """
import subprocess, sys, time
if sys.argv[1] == "large":
    block = bytearray(b"x" * 2**27)
    time.sleep(0.3)
else:
    subprocess.run([sys.executable, __file__, "large"], check=True)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="memory is told by /proc")
def test_the_memory_of_a_command_is_also_that_of_what_it_starts(tmp_path) -> None:
    (tmp_path / "large.py").write_text(LARGE)
    used = baselines.watched([sys.executable, str(tmp_path / "large.py"), "start"], tmp_path / "errors")
    assert 128 < used < 400


def test_classical_methods_denoise(irflow, tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(scene(64, 72)).save(tmp_path / "photos" / "a.png")
    base = ("bench", tmp_path / "photos", "--task", "denoise", "--degrade", "noise:25", "--json", "--methods")
    records = {record["method"]: record for record in records_of(irflow(*base, "opencv-nlm,nlm").out)}
    assert list(records) == ["input", "opencv-nlm", "nlm"]
    assert all(record["psnr"] > records["input"]["psnr"] + 3 for name, record in records.items() if name != "input")
    told = irflow(*base, "opencv-nlm", "--sigma", 5)
    assert records_of(told.out)[1]["psnr"] < records["opencv-nlm"]["psnr"] - 1  # the given level is the one that is used


def test_a_command_that_takes_too_long_ends_with_all_that_it_started(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(baselines, "TIMEOUT", 0.3)
    with pytest.raises(ImageError, match="took more than"):
        baselines.watched(["sh", "-c", f"tail -f {tmp_path / 'errors'}; true"], tmp_path / "errors")

    def running() -> list[str]:
        command = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout
        return [line for line in command.splitlines() if str(tmp_path / "errors") in line]

    deadline = time.monotonic() + 60  # a signal needs its time, on a busy machine
    while running():
        assert time.monotonic() < deadline, running()
        time.sleep(0.02)


def test_inpainting_is_measured_beside_its_baselines(irflow, clean_set, tiny_checkpoint, tmp_path) -> None:
    command = ("bench", clean_set, "--task", "inpaint", "--checkpoint", tiny_checkpoint("prior"), "--json")
    names = "irflow,telea,navier-stokes,biharmonic"
    done = irflow(*command, "--degrade", "thin,pixels:0.7", "--methods", names, "--presets", "fast,restora:2:1", "--crop", 64)
    assert done.code == 0, done.err
    records = [json.loads(line) for line in done.out.splitlines()]
    assert len(records) == 2 * 2 * 6
    for kind in ("thin", "pixels:0.7"):
        means = {
            record["method"]: record["psnr"] for record in records if record["degrade"] == kind and record["picture"] == "0"
        }
        assert means["telea"] > means["input"] + 3
        assert means["biharmonic"] > means["input"] + 3
    ours = next(record for record in records if record["method"] == "irflow")
    assert (ours["variant"], ours["nfe"]) == ("fast", 1)
    assert {record["nfe"] for record in records if record["variant"] == "restora:2:1"} == {3}
    assert ours["parameters"] > 0


@pytest.mark.parametrize("degrade", ["area:2", "grid:3"])
def test_enlarging_is_measured_beside_interpolation(irflow, clean_set, tiny_checkpoint, degrade: str) -> None:
    command = (
        "bench",
        clean_set,
        "--task",
        "upscale",
        "--checkpoint",
        tiny_checkpoint("prior"),
        "--json",
        "--degrade",
        degrade,
    )
    done = irflow(*command, "--methods", "irflow,bicubic,lanczos", "--presets", "auto")
    assert done.code == 0, done.err
    records = [json.loads(line) for line in done.out.splitlines()]
    assert len(records) == 2 * 4
    assert not any(record["error"] for record in records)
    psnr = {record["method"]: record["psnr"] for record in records if record["picture"] == "0"}
    assert psnr["bicubic"] > 15


def test_a_command_is_another_when_its_program_is(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    before = baselines.command(f"{tool} {{in}} {{out}}").identity
    assert baselines.command(f"{tool} {{in}} {{out}}").identity == before
    tool.write_text("#!/bin/sh\necho\n")
    assert baselines.command(f"{tool} {{in}} {{out}}").identity != before


def test_other_networks_are_brought_in_by_spandrel(pairs, bench, irflow, tmp_path, monkeypatch, tiny_checkpoint) -> None:
    class Descriptor:
        scale, input_channels, architecture = 1, 3, SimpleNamespace(name="Half")
        model = torch.nn.Conv2d(3, 3, 1)

        def __call__(self, image):
            return image / 2

    library = ModuleType("spandrel")
    library.ImageModelDescriptor = Descriptor  # type: ignore[attr-defined]
    library.MaskedImageModelDescriptor = type("Masked", (), {})  # type: ignore[attr-defined]
    loader = SimpleNamespace(load_from_file=lambda path: Descriptor())
    library.ModelLoader = lambda device: loader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spandrel", library)
    (tmp_path / "half.pth").write_bytes(b"weights")
    own = tiny_checkpoint("all-in-one")
    records = {
        r["method"]: r for r in records_of(bench(pairs, "--baseline", tmp_path / "half.pth", "--baseline", own, "--json").out)
    }
    assert list(records) == ["input", "irflow", "half", f"irflow {own.stem}"]
    assert records["half"]["parameters"] == 12
    clean, degraded = (np.array(Image.open(pairs / kind / "two <b>.png")).astype(float) for kind in ("clean", "degraded"))
    error = ((np.round(degraded / 2) - clean) ** 2).mean()
    assert records["half"]["psnr"] == pytest.approx(10 * np.log10(255**2 / error), abs=0.02)
    halves = [shutil.copy(tmp_path / "half.pth", tmp_path / f"{name}.pth") for name in ("one", "two")]
    asked = bench(pairs, *(part for half in halves for part in ("--baseline", half)), "--precision", "bf16")
    assert asked.err.count(baselines.BY_SPANDREL) == 1
    plain = bench(pairs, "--baseline", halves[0], "--engine", "torch", "--precision", "fp32")
    assert (plain.code, baselines.BY_SPANDREL in plain.err) == (0, False)
    Descriptor.scale = 2
    assert bench(pairs, "--baseline", tmp_path / "half.pth").code == 4
    Descriptor.__call__ = lambda self, image, *mask: (image if mask else image.repeat(1, 1, 2, 2)) / 2  # type: ignore[method-assign]
    prior = ("--checkpoint", tiny_checkpoint("prior"), "--baseline", tmp_path / "half.pth", "--json")
    larger = irflow("bench", pairs / "clean", "--task", "upscale", "--degrade", "area:2", *prior)
    assert {record["method"] for record in records_of(larger.out) if record["error"] is None} == {"input", "irflow", "half"}
    hole = ("bench", pairs / "clean", "--task", "inpaint", "--degrade", "thin", *prior)
    assert irflow(*hole).code == 4
    Descriptor.scale = 1
    library.MaskedImageModelDescriptor = Descriptor  # type: ignore[attr-defined]
    assert {record["method"] for record in records_of(irflow(*hole).out) if record["error"] is None} == {
        "input",
        "irflow",
        "half",
    }
    monkeypatch.setitem(sys.modules, "spandrel", None)
    assert hint("baselines") in bench(pairs, "--baseline", tmp_path / "half.pth").err


def test_a_command_that_does_not_exist_is_a_failure() -> None:
    with pytest.raises(Exception, match="No such file"):
        baselines.command("no-such-tool-anywhere {in} {out}").run(np.zeros((4, 4, 3), np.uint8))
