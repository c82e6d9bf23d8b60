"""`irflow bench` from end to end, on a network of random weights."""

from __future__ import annotations

import numpy as np
from drawn import scene
from PIL import Image
from results import records_of

from irflow_cli.bench.records import read_environment, read_records, write_records


def test_all_methods_get_the_same_inputs_and_failures_are_listed(pairs, bench, tool, tmp_path) -> None:
    options = [part for what in ("", "fail", "crop", "range") for part in ("--baseline-command", tool(what))]
    done = bench(pairs, *options, "--report", tmp_path / "out", "--json")
    assert done.code == 1
    found = {(record["picture"], record["method"].split()[-1]): record for record in records_of(done.out)}
    for name in ("one", "two <b>"):
        given, copied = found[name, "input"], found[name, next(key for _, key in found if key == "''" or key.endswith(".py"))]
        assert copied["psnr"] == given["psnr"]  # the tool copied its input
        assert copied["digest"] == given["digest"] == found[name, "irflow"]["digest"]
        assert copied["seconds_per_mp"] > 0
        assert "no licence" in found[name, "fail"]["error"]
        assert "71 x 64, the picture 72 x 64" in found[name, "crop"]["error"]
        assert "range" in found[name, "range"]["notes"][0]
    assert "4 of 12 results failed" in done.err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "no licence" in page
    assert "failed on 2" in page


def test_swapped_pairs_stop_the_run_and_a_shift_is_told(pairs, bench) -> None:
    moved = np.roll(scene(64, 72) // 2 + 60, 2, 1)
    Image.fromarray(moved).save(pairs / "degraded" / "one.png")
    done = bench(pairs, "--methods", "irflow")
    assert done.code == 0
    assert "one: the degraded picture is moved by about (2, 0) pixels" in done.err
    Image.fromarray(scene(64, 72)[::-1] // 2).save(pairs / "degraded" / "two <b>.png")
    Image.fromarray(scene(64, 72)[::-1]).save(pairs / "clean" / "one.png")
    Image.fromarray(scene(64, 72)).save(pairs / "clean" / "two <b>.png")
    Image.fromarray(scene(64, 72) // 2).save(pairs / "degraded" / "one.png")
    swapped = bench(pairs)
    assert (swapped.code, swapped.out) == (2, "")
    assert "swapped" in swapped.err


def test_several_degradations_are_told_apart_with_their_gain(irflow, tiny_checkpoint, tmp_path) -> None:
    Image.fromarray(scene(48, 50)).save(tmp_path / "a.png")
    options = ("--task", "denoise", "--checkpoint", tiny_checkpoint("denoise"), "--degrade", "noise:15,noise:50")
    done = irflow("bench", tmp_path, *options)
    labels = [line.split("|")[1].strip() for line in done.out.splitlines()[2:]]
    assert labels == [f"noise:{sigma}: {name}" for sigma in (15, 50) for name in ("input", "denoise, 1 step")]
    assert "noise:50: denoise, 1 step: " in done.err
    assert "dB over the input" in done.err


def test_a_border_that_leaves_nothing_is_a_failure(pairs, bench) -> None:
    done = bench(pairs, "--border", 40)
    assert (done.code, "nothing is left when --border 40 is cut off" in done.err) == (1, True)


def test_a_picture_that_cannot_be_read_is_a_failure_and_the_others_are_measured(pairs, bench, tmp_path) -> None:
    whole = (pairs / "degraded" / "one.png").read_bytes()
    (pairs / "degraded" / "one.png").write_bytes(whole[: len(whole) // 2])
    done = bench(pairs, "--report", tmp_path / "out")
    assert done.code == 1
    assert "one.png: damaged or incomplete" in done.err
    records = {
        (record["picture"], record["method"]): record for record in records_of((tmp_path / "out" / "results.jsonl").read_text())
    }
    assert all(records["one", method]["error"] and records["one", method]["psnr"] is None for method in ("input", "irflow"))
    assert all(records["two <b>", method]["error"] is None for method in ("input", "irflow"))
    assert "damaged or incomplete" in (tmp_path / "out" / "report.html").read_text()


def test_the_date_of_results_is_that_of_the_last_that_was_measured(pairs, bench, tmp_path) -> None:
    report = tmp_path / "out"

    def dated(*options: object) -> str:
        assert bench(pairs, *options, "--report", report).code == 0
        return read_environment(next(report.glob("*.jsonl")))["date"]

    dated("--steps", "1")
    store = next(report.glob("*.jsonl"))
    write_records(store, read_records(store), {**read_environment(store), "date": "then"})
    assert dated("--steps", "1") == "then"  # all is kept
    assert dated("--steps", "1,2") != "then"
