"""irflow's own methods: every combination of settings, and what a call costs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from drawn import scene
from PIL import Image
from results import records_of

from irflow_cli.bench import methods
from irflow_cli.images.decode import read_picture


def test_settings_are_every_combination_and_each_is_told_apart(pairs, bench) -> None:
    done = bench(pairs, "--steps", "1,2", "--grid", "released,uniform", "--strength", "0.5,1", "--json")
    names = [
        (record["steps"], record["variant"])
        for record in records_of(done.out)
        if record["picture"] == "one" and record["method"] == "irflow"
    ]
    assert len(set(names)) == len(names) == 8
    assert (2, "uniform grid, strength 0.5") in names
    results = {
        (record["steps"], record["variant"]): record["psnr"] for record in records_of(done.out) if record["picture"] == "one"
    }
    assert results[1, "released grid"] != results[2, "released grid"] != results[2, "released grid, strength 0.5"]


def test_samplers_are_measured_side_by_side(pairs, bench) -> None:
    done = bench(pairs, "--steps", "1,2", "--sampler", "euler,heun", "--json")
    results = {
        (record["variant"], record["steps"]): record["psnr"]
        for record in records_of(done.out)
        if record["picture"] == "one" and record["method"] == "irflow"
    }
    assert list(results) == [("euler", 1), ("euler", 2), ("heun", 1), ("heun", 2)]
    assert results["euler", 1] == results["heun", 1]  # whose last step is Euler's
    assert results["euler", 2] != results["heun", 2]


def test_a_method_without_memory_is_a_failure_and_no_case_of_the_first(pairs, bench, tmp_path, monkeypatch) -> None:
    real = methods.Restorer.restore

    def restore(this, picture, *rest):
        if picture.pixels.shape[0] == 64 and (picture.pixels == read_picture(pairs / "degraded/one.png").pixels).all():
            raise MemoryError
        return real(this, picture, *rest)

    monkeypatch.setattr(methods.Restorer, "restore", restore)
    done = bench(pairs, "--report", tmp_path / "out", "--steps", "1,2", "--json")
    assert done.code == 1
    assert {record["picture"] for record in records_of(done.out) if record["error"]} == {"one"}
    assert all(
        record["error"] == "MemoryError"
        for record in records_of(done.out)
        if record["picture"] == "one" and record["method"] == "irflow"
    )


def test_a_picture_without_a_hole_needs_no_call(irflow, tiny_checkpoint, tmp_path) -> None:
    for name in ("m", "set"):
        (tmp_path / name).mkdir()
    Image.fromarray(scene(64, 72)).save(tmp_path / "set" / "a.png")
    Image.new("L", (72, 64)).save(tmp_path / "m" / "none.png")
    options = ("--masks", tmp_path / "m", "--checkpoint", tiny_checkpoint("prior"), "--json")
    done = irflow("bench", tmp_path / "set", "--task", "inpaint", *options)
    assert done.code == 0, done.err
    assert [record["nfe"] for record in records_of(done.out)] == [None, 0]


def test_the_prior_denoises_beside_the_flow(irflow, clean_set, tiny_checkpoint, monkeypatch) -> None:
    from irflow_cli.engines import restorer

    real = restorer.load_checkpoint
    monkeypatch.setattr(
        restorer, "load_checkpoint", lambda name: real(tiny_checkpoint("prior" if name == "prior" else "denoise"))
    )
    done = irflow(
        "bench",
        clean_set,
        "--task",
        "denoise",
        "--degrade",
        "noise:25",
        "--methods",
        "irflow,irflow-prior",
        "--json",
        "--sigma",
        25,
    )
    assert done.code == 0, done.err
    records = [json.loads(line) for line in done.out.splitlines()]
    assert {record["method"] for record in records} == {"input", "irflow", "irflow-prior"}
    assert all(record["psnr"] > 10 for record in records)


def test_memory_of_a_call_is_counted() -> None:
    if np.isnan(methods.memory("VmHWM")):
        pytest.skip("this system does not tell")

    def hungry(pixels: np.ndarray) -> np.ndarray:
        return np.ones(80 * 2**20, np.uint8)[: pixels.size].reshape(pixels.shape).copy()  # all is free again at the end

    pixels = np.zeros((4, 4, 3), np.uint8)
    modest = methods.in_process(lambda pixels: pixels)(pixels)
    assert methods.in_process(hungry)(pixels).mib == pytest.approx(80, abs=8)
    assert modest.mib < 8
