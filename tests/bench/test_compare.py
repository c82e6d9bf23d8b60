"""Two runs compared: what is better, what is worse, and what is chance."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from results import records_of

from irflow_cli.bench.compare import bootstrap, compare, lost
from irflow_cli.bench.metrics import Scores
from irflow_cli.bench.records import Record, other_machine, read_environment, read_records, write_records
from irflow_cli.errors import UsageError


def results(path: Path, gain: float = 0.0, slower: float = 1.0, lpips: float = 0.0, count: int = 12, digest: str = "d") -> Path:
    draw = np.random.default_rng(0)
    records = []
    for number in range(count):
        scores = Scores(
            psnr=25 + 5 * draw.random() + gain, lpips=0.2 + lpips, seconds_per_mp=(2 + 0.1 * draw.random()) * slower
        )
        records.append(Record(str(number), "irflow", 1, scores, task="denoise", digest=f"{digest}{number}"))
        records.append(Record(str(number), "input", 0, Scores(psnr=20), task="denoise", digest=f"{digest}{number}"))
    write_records(path, records, {})
    return path


@pytest.mark.parametrize(
    ("change", "metric", "verdict"),
    [
        ({"gain": 0.05}, "psnr", "better"),
        ({"gain": -0.05}, "psnr", "worse"),
        ({}, "psnr", "same"),
        ({"lpips": 0.01}, "lpips", "worse"),
        ({"lpips": -0.01}, "lpips", "better"),
        ({"slower": 1.5}, "seconds_per_mp", "worse"),
        ({"slower": 0.5}, "seconds_per_mp", "better"),
        ({"slower": 1.05}, "seconds_per_mp", "same"),
        ({"gain": -1, "count": 3}, "psnr", "too few"),
        ({"gain": -0.004}, "psnr", "same"),  # which no table shows
    ],
)
def test_changes_are_told_picture_by_picture(change: dict, metric: str, verdict: str, tmp_path: Path) -> None:
    found = compare(results(tmp_path / "old.jsonl"), results(tmp_path / "new.jsonl", **change))
    assert {one.metric: one.verdict for one in found}[metric] == verdict
    assert {one.label for one in found} == {"denoise, 1 step"}


def test_a_difference_that_pictures_do_not_agree_on_is_chance(tmp_path: Path) -> None:
    old, new = results(tmp_path / "old.jsonl"), tmp_path / "new.jsonl"
    records = read_records(old)
    for index, record in enumerate(records):
        records[index] = Record(
            record.picture,
            record.method,
            record.steps,
            Scores(psnr=record.scores.psnr + (-1) ** (index // 2)),
            digest=record.digest,
        )
    write_records(new, records, {})
    assert [one.verdict for one in compare(old, new)] == ["same"]


def test_chance_alone_is_seldom_called_a_change() -> None:
    draw = np.random.default_rng(2)
    for count in (8, 24):
        missed = sum(low > 0 or high < 0 for low, high in (bootstrap(draw.normal(size=count)) for _ in range(200)))
        assert missed <= 20  # ten of 200 are expected


def test_what_hangs_on_the_machine_is_compared_on_one_alone(tmp_path: Path) -> None:
    old, new = results(tmp_path / "old.jsonl"), results(tmp_path / "new.jsonl", slower=2)
    assert "seconds_per_mp" in {change.metric for change in compare(old, new)}
    for path, threads in ((old, "1"), (new, "16")):
        write_records(path, read_records(path), {"threads": threads})
    assert other_machine(read_environment(old), read_environment(new)) == ("threads",)
    assert "seconds_per_mp" not in {change.metric for change in compare(old, new)}


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not text"):
        read_records(tmp_path / "x.jsonl")


def test_other_inputs_do_not_compare(tmp_path: Path) -> None:
    old = results(tmp_path / "old.jsonl")
    with pytest.raises(UsageError, match="another picture"):
        compare(old, results(tmp_path / "new.jsonl", digest="other"))
    bordered = tmp_path / "bordered.jsonl"
    write_records(bordered, [replace(record, border=4) for record in read_records(old)], {})
    with pytest.raises(UsageError, match="border"):
        compare(old, bordered)
    write_records(tmp_path / "none.jsonl", [], {})
    with pytest.raises(UsageError, match="in common"):
        compare(old, tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="No such file"):
        compare(old, tmp_path / "missing.jsonl")


def test_the_interval_holds_the_mean_and_narrows() -> None:
    values = np.random.default_rng(1).normal(3, 1, 400)
    few, many = bootstrap(values[:20]), bootstrap(values)
    assert few[0] < values[:20].mean() < few[1]
    assert many[0] < 3 < many[1]
    assert many[1] - many[0] == pytest.approx(2 * 1.96 / 20, rel=0.2)


def test_records_survive_their_file_and_a_torn_last_line(tmp_path: Path) -> None:
    path = results(tmp_path / "records.jsonl", count=2)
    records = read_records(path)
    assert [(record.picture, record.key) for record in records[:2]] == [
        ("0", ("", "irflow", 1, "")),
        ("0", ("", "input", 0, "")),
    ]
    assert np.isnan(records[0].scores.vif)
    whole = path.read_text()
    path.write_text(whole[:-30])
    assert [record.picture for record in read_records(path)] == ["0", "0", "1"]
    path.write_text("nonsense\n" + whole)
    with pytest.raises(UsageError, match="line 1"):
        read_records(path)


def test_a_figure_that_is_gone_is_told(tmp_path: Path) -> None:
    old, new = results(tmp_path / "old.jsonl"), tmp_path / "new.jsonl"
    assert lost(old, results(new)) == []
    write_records(new, [replace(record, scores=replace(record.scores, lpips=float("nan"))) for record in read_records(old)], {})
    assert lost(old, new) == [f"denoise, 1 step has no LPIPS in {new}"]


def test_compare_tells_what_got_worse(irflow, pairs, bench, tmp_path) -> None:
    for number in range(8):
        for kind in ("clean", "degraded"):
            (pairs / kind / f"{number}.png").write_bytes((pairs / kind / "one.png").read_bytes())
    assert bench(pairs, "--report", tmp_path / "old").code == 0
    assert bench(pairs, "--report", tmp_path / "new", "--strength", "1").code == 0
    old, new = (tmp_path / name / "results.jsonl" for name in ("old", "new"))
    records = records_of(new.read_text())
    for record in records:
        record.update(seconds_per_mp=None, peak_mib=None)
    new.write_text("".join(json.dumps(record) + "\n" for record in records))
    same = irflow("bench", "--compare", old, new)
    assert same.code == 0
    assert "no metric of quality got worse" in same.err
    for record in records:
        record["psnr"] -= 0.5 if record["method"] == "irflow" else 0
    new.write_text("".join(json.dumps(record) + "\n" for record in records))
    worse = irflow("bench", "--compare", old, new)
    assert worse.code == 1
    assert [line.split("|")[-2].strip() for line in worse.out.splitlines() if "| PSNR |" in line] == ["worse"]
    assert irflow("bench", "--compare", new, old).code == 0
    for record in records:
        record.update(psnr=record["psnr"] + 0.6, peak_mib=100.0, seconds_per_mp=9.0)
    new.write_text("".join(json.dumps(record) + "\n" for record in records))
    cheap = tmp_path / "cheap.jsonl"
    cheap.write_text("".join(json.dumps({**record, "peak_mib": 50.0}) + "\n" for record in records))
    costly = irflow("bench", "--compare", cheap, new)  # what hangs on the hour is told, and no reason to fail
    assert costly.code == 0
    assert any("| MiB |" in line and "| worse |" in line for line in costly.out.splitlines())


def test_compare_tells_what_is_gone(irflow, pairs, bench, tmp_path) -> None:
    assert bench(pairs, "--report", tmp_path / "old", "--steps", "1,2").code == 0
    old, new = tmp_path / "old" / "results.jsonl", tmp_path / "new.jsonl"
    records = records_of(old.read_text())
    new.write_text("".join(json.dumps(record) + "\n" for record in records if record["steps"] != 2))
    gone = irflow("bench", "--compare", old, new)
    assert (gone.code, "derain, 2 steps is not there" in gone.err) == (1, True)
    for record in records:
        record["error"] = "no memory" if (record["steps"], record["picture"]) == (2, "one") else None
    new.write_text("".join(json.dumps(record) + "\n" for record in records))
    gone = irflow("bench", "--compare", old, new)
    assert (gone.code, "derain, 2 steps has no metrics of 1 pictures, such as one" in gone.err) == (1, True)


def test_what_is_too_few_to_tell_is_not_called_as_good(irflow, tmp_path: Path) -> None:
    old, new = results(tmp_path / "old.jsonl", count=3), results(tmp_path / "new.jsonl", gain=-10, count=3)
    done = irflow("bench", "--compare", old, new)
    assert (done.code, "which tells nothing; measure more" in done.err, "got worse" in done.err) == (1, True, False), done.err
