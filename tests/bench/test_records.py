"""One line for each picture and method: kept, used again, and measured again where something else made it."""

from __future__ import annotations

from drawn import scene
from PIL import Image
from results import records_of

from irflow_cli.bench import metrics, run
from irflow_cli.bench.metrics import METRICS
from irflow_cli.bench.records import markdown


def test_an_interrupted_run_goes_on_where_it_stopped(pairs, bench, counted, tmp_path) -> None:
    out = tmp_path / "out"
    assert bench(pairs, "--report", out).code == 0
    whole = (out / "results.jsonl").read_text()
    assert len(counted) == len(records_of(whole)) == 4
    (out / "results.jsonl").write_text(whole[: len(whole) - 200])  # torn in the last line, as a kill leaves it
    counted.clear()
    assert bench(pairs, "--report", out).code == 0
    assert counted == ["two <b>"]
    again = [{k: v for k, v in record.items() if k not in ("seconds_per_mp", "peak_mib")} for record in records_of(whole)]
    kept = records_of((out / "results.jsonl").read_text())
    assert [{k: v for k, v in record.items() if k not in ("seconds_per_mp", "peak_mib")} for record in kept] == again
    counted.clear()
    refused = bench(pairs, "--report", out, "--steps", "2")  # whose records would take the place of those
    assert (refused.code, "holds derain, 1 step too" in refused.err) == (2, True)
    assert bench(pairs, "--report", out, "--steps", "1,2").code == 0  # another trajectory: the others' records are kept
    assert counted == ["one", "two <b>"]
    Image.fromarray(scene(64, 72, 9)).save(pairs / "clean" / "one.png")  # another picture under an old name
    Image.fromarray(scene(64, 72, 9) // 2).save(pairs / "degraded" / "one.png")
    counted.clear()
    assert bench(pairs, "--report", out, "--steps", "1,2").code == 0
    assert counted == ["one", "one", "one"]


def test_metrics_that_were_not_there_are_measured_later(pairs, bench, counted, tmp_path, monkeypatch) -> None:
    known = metrics.absent()
    with monkeypatch.context() as early:
        early.setattr(metrics, "absent", lambda: {**known, "vif": "install it"})
        assert bench(pairs, "--report", tmp_path / "out").code == 0
    before = len(counted)
    assert bench(pairs, "--report", tmp_path / "out").code == 0
    assert len(counted) == (before if "vif" in known else 2 * before)
    counted.clear()
    assert bench(pairs, "--report", tmp_path / "out").code == 0
    assert counted == []


def test_records_are_not_lost_when_measuring_them_again_is_broken_off(pairs, bench, tmp_path, monkeypatch) -> None:
    out = tmp_path / "out"
    bench(pairs, "--report", out)
    whole = (out / "results.jsonl").read_text()
    real = run.environment
    monkeypatch.setattr(run, "environment", lambda settings: {**real(settings), "threads": "many"})
    with monkeypatch.context() as broken:

        def stop(*arguments: object) -> None:
            raise KeyboardInterrupt

        broken.setattr(run, "_measured", stop)
        assert bench(pairs, "--report", out).code == 130
    assert (out / "results.before.jsonl").read_text() == whole
    assert bench(pairs, "--report", out).code == 0
    assert not (out / "results.before.jsonl").exists()


def test_a_request_that_makes_no_sense_leaves_the_last_results(pairs, bench, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path / "cache"))
    assert bench(pairs).code == 0
    [path] = (tmp_path / "cache" / "bench").glob("*.jsonl")
    assert bench(pairs, "--methods", "magic").code == 2
    assert path.is_file()


def test_tables_are_markdown_and_every_metric_has_a_title() -> None:
    assert markdown([["a|b", "c"], ["d", "e"]]) == ["| a\\|b | c |", "|---|---|", "| d | e |"]
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)
