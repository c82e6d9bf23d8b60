"""What a record was made with."""

from __future__ import annotations

import json

from irflow_cli.bench import run


def test_records_made_in_another_way_are_measured_again(pairs, bench, counted, tmp_path, monkeypatch) -> None:
    out = tmp_path / "out"
    bench(pairs, "--report", out)
    counted.clear()
    real = run.environment
    monkeypatch.setattr(run, "environment", lambda settings: {**real(settings), "threads": "many"})
    again = bench(pairs, "--report", out)
    assert (again.code, len(counted)) == (0, 4)
    assert "was made with other threads; all is measured again" in again.err
    pairs.rename(tmp_path / "others")
    other = bench(tmp_path / "others", "--report", out)
    assert (other.code, "holds results of set, derain; give another --report" in other.err) == (2, True)


def test_lines_are_always_written_and_tell_what_they_were_made_with(pairs, bench, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path / "cache"))
    for _ in range(2):  # the second run is a run of its own
        done = bench(pairs)
        [path] = (tmp_path / "cache" / "bench").iterdir()
        assert str(path) in done.err
        first, *rest = map(json.loads, path.read_text().splitlines())
        assert {"threads", "device, precision", "packages"} <= first["environment"].keys()
        assert len(rest) == 4
