"""A report is put into folders that are its own."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results.jsonl", '{"note": 1}\n'),
        ("results.jsonl", '{"picture": "mine"}\n'),
        ("results.jsonl", '["environment"]\n'),
        ("results.jsonl", "mine"),
        ("table.md", "mine"),
        ("report.html", "mine"),
    ],
)
def test_a_report_replaces_nothing_that_no_run_wrote(name: str, text: str, pairs, bench, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text(text)
    done = bench(pairs, "--report", tmp_path / "out")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert str(tmp_path / "out" / name) in done.err and "give another --report" in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert (tmp_path / "out" / name).read_text() == text


def test_a_report_goes_on_after_a_line_that_was_cut_off(pairs, bench, tmp_path) -> None:
    assert bench(pairs, "--report", tmp_path / "out").code == 0
    store = tmp_path / "out" / "results.jsonl"
    whole = store.read_text()
    store.write_text(whole[:-40])
    assert bench(pairs, "--report", tmp_path / "out").code == 0
    assert len(store.read_text().splitlines()) == len(whole.splitlines())
    store.write_text(whole + '{"note": 1}\n')
    done = bench(pairs, "--report", tmp_path / "out")
    assert (done.code, "line 6: not a line of results; give another --report" in done.err) == (2, True)
