"""Speed and memory, measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from irflow_cli.bench import speed
from irflow_cli.cli.app import run
from irflow_cli.engines.backends.table import BACKENDS
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.images.decode import read_picture


@pytest.mark.parametrize("sizes", ["0", "-1", "1,nan"])
def test_sizes_that_no_picture_has_are_refused(irflow, sizes: str, tiny_checkpoint) -> None:
    done = irflow("bench", "--task", "derain", f"--speed={sizes}", "--checkpoint", tiny_checkpoint("derain"))
    assert (done.code, "megapixels above 0" in done.err, done.out) == (2, True, "")


def test_speed_is_work_over_time(tiny_checkpoint, monkeypatch, irflow) -> None:
    monkeypatch.setattr(speed, "timed", lambda work, repeats=5: [0.5, 0.5] if work() is None else [0.5, 0.25])
    assert max(speed.convolution_peak(torch.device("cpu"), torch.float32, ((4, 8), (8, 8)))) == pytest.approx(
        2 * 9 * 8 * 8 * 64 / 1e9 / 0.25
    )
    restorer = Restorer(RestoreSettings("derain", checkpoint=str(tiny_checkpoint("derain")), device="cpu"))
    monkeypatch.setattr(speed, "CONVOLUTIONS", ((4, 8),))
    subject = speed.Subject(restorer.engine, restorer.net, restorer.device, restorer.engine.dtype)
    facts = {(fact.name, fact.unit): fact for fact in speed.network_facts(subject, (16, 32))}
    small, large = (facts[f"network, {side} x {side}", "GFLOP/MP"].median for side in (16, 32))
    assert small == pytest.approx(large, rel=0.2)
    work = small * 16**2 / 1e6
    assert facts["network, 16 x 16", "GFLOP/s"].low == pytest.approx(work / 0.5)
    assert facts["network, 16 x 16", "of the fastest convolution"].median > 0
    assert facts["network, 16 x 16", "s/MP"].high == pytest.approx(0.5 / (16**2 / 1e6))
    assert [fact.median for fact in speed.folder_facts(restorer, 2, 16)] == [2 * 16**2 / 1e6 / 0.5, 0.5 / (2 * 0.375)]
    monkeypatch.setattr(speed, "whole_command", lambda settings, source, target: (read_picture(source).pixels.shape[1], 7.0))
    sizes = {fact.name: fact.median for fact in speed.size_facts(restorer.settings, (0.01, 0.04))}
    assert sizes["time over size, exponent"] == pytest.approx(0.5, abs=0.02)


def test_the_whole_command_is_measured_in_a_process_of_its_own(tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    settings = RestoreSettings("derain", checkpoint=str(tiny_checkpoint("derain")), device="cpu")
    seconds, mebibytes = speed.whole_command(settings, picture_file("in.jpg"), tmp_path / "out.jpg")
    assert seconds > 0
    assert mebibytes > 0
    assert (tmp_path / "out.jpg").exists()


@pytest.mark.parametrize("task", ["inpaint", "upscale"])
def test_the_speed_of_a_prior_is_that_of_its_commands(task: str, tiny_checkpoint, monkeypatch, irflow) -> None:
    monkeypatch.setattr(speed, "CONVOLUTIONS", ((4, 8),))
    monkeypatch.setattr(speed, "TILES", (32,))
    monkeypatch.setattr(speed, "AGAIN", 1)
    commands = []

    def measured(options: list[str]) -> tuple[float, float]:
        commands.append(run(["--no-config", *options]))
        return 1.0, 1.0

    monkeypatch.setattr(speed, "measured_command", measured)
    done = irflow("bench", "--task", task, "--speed", "0.01", "--checkpoint", tiny_checkpoint("prior"), "--device", "cpu")
    assert done.code == 0, done.err
    assert f"{task}, 0.01 MP JPEG" in done.out and set(commands) == {0}
    assert "network, 32 x 32" in done.out
    assert "folder" not in done.out
    spare = irflow("bench", "--task", task, "--speed", "0.01", "--steps", 2)
    assert (spare.code, "--steps has no meaning with --speed" in spare.err) == (2, True)


def test_speed_says_what_computes_the_network_and_why(tiny_checkpoint, monkeypatch, irflow) -> None:
    for name in ("network_facts", "batch_facts", "size_facts", "folder_facts"):
        monkeypatch.setattr(speed, name, lambda *rest: iter(()))
    pytest.importorskip("openvino")
    monkeypatch.setitem(BACKENDS["openvino"].__dict__, "open", broken)
    asked = ("--engine", "openvino", "--precision", "fp32", "--checkpoint", tiny_checkpoint("derain"))
    done = irflow("bench", "--task", "derain", "--speed", "1", *asked)
    assert (done.code, "by torch fp32 |" in done.out) == (0, True), done.err
    assert done.err.count("no luck today") == 1
    quiet = irflow("bench", "--task", "derain", "--speed", "1", *asked, "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def broken(loaded, precision):
    """Stand for an engine that fails."""
    raise RuntimeError("no luck today")


def test_what_is_timed_is_what_people_run(tiny_checkpoint, irflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def command(options: list[str]) -> tuple[float, float]:
        ran.append(options)
        return 1.0, 1.0

    monkeypatch.setattr(speed, "measured_command", command)
    for name in ("network_facts", "batch_facts", "folder_facts"):
        monkeypatch.setattr(speed, name, lambda *_: ())
    usual = ("bench", "--speed", "0.01", "--checkpoint", tiny_checkpoint("derain"), "--device", "cpu")
    assert "restore in 2 steps, 0.01 MP JPEG" in irflow(*usual).out
    assert "restore in 1 step, 0.01 MP JPEG" in irflow(*usual, "--steps", "1").out
    assert [options[options.index("--steps") + 1] for options in ran[-1:]] == ["1"]
    done = irflow(*usual, "--steps", "1,4")
    assert (done.code, "--steps is one number beside --speed" in done.err) == (2, True)


def test_files_of_defaults_change_no_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "irflow.toml").write_text("no_such_option = 1")  # which any command would refuse
    monkeypatch.chdir(tmp_path)
    assert speed.measured_command(["models", "list"])[0] > 0
