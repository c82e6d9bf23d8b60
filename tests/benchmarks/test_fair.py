"""Two recipes trained side by side, and the table of what became of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import fair
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.bench.metrics import Scores
from irflow_cli.bench.records import Record


def test_gains_are_signed_so_that_more_is_better() -> None:
    records = [
        Record("a", "input", 0, Scores(psnr=20.0, flip=0.4), degrade="grain"),
        Record("a", "flow", 2, Scores(psnr=23.5, flip=0.1), degrade="grain"),
        Record("a", "plain", 1, Scores(psnr=19.0, flip=0.5), degrade="grain"),
    ]
    header, flow, plain = fair.gain_table(records)
    assert header == ["degradation", "method", "PSNR, gain", "FLIP, gain"]
    assert flow == ["grain", "flow, 2 steps", "+3.50", "+0.3000"]
    assert plain == ["grain", "plain, 1 step", "-1.00", "-0.1000"]


def test_both_are_trained_from_one_start_and_stand_on_the_page(
    tmp_path: Path, tiny_checkpoint, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    (tmp_path / "set").mkdir()
    for seed in range(2):
        Image.fromarray(scene(48, 48, seed)).save(tmp_path / "set" / f"{seed}.png")
    pair = fair.PAIRS["levels"]
    monkeypatch.setitem(
        fair.PAIRS, "levels", replace(pair, degrade="drawn-rain", crop=32, shared={**pair.shared, "size": None})
    )
    monkeypatch.chdir(tmp_path)
    page = tmp_path / fair.PAGE
    page.parent.mkdir()
    page.write_text("before\n<!-- fair levels -->\n<!-- /fair -->\n<!-- fair times -->\nkept\n<!-- /fair -->\n")
    asked = []
    monkeypatch.setattr(fair, "trained", lambda request, threads: asked.append(request))
    monkeypatch.setattr(fair, "ProcessPoolExecutor", Here)
    start = str(tiny_checkpoint("derain"))
    assert fair.main(["measure", "levels", "runs", "set"]) == 3  # nothing is trained yet
    assert fair.main(["train", "levels", "set", "runs", "--minutes", "1", "--init", start, "--batch", "2", "--crop", "32"]) == 0
    flow, plain = asked
    assert (flow.at_start, plain.at_start) == (0.7, 1.0)
    assert replace(flow, out=plain.out, at_start=1.0, self_conditioned=False) == plain
    for request in asked:
        fair.train(replace(request, minutes=None, iterations=2))
    assert fair.main(["measure", "levels", "runs", "set"]) == 0
    text = page.read_text()
    rows = [line.split(" | ")[1] for line in text.splitlines() if line.startswith("| drawn-rain")]
    assert rows == ["flow, 1 step", "flow, 4 steps", "plain, 1 step"]
    assert re.search(r"`plain`: [\d.]+ minutes, 2 iterations, 4 crops\.", text)
    assert text.startswith("before\n") and text.endswith("<!-- fair times -->\nkept\n<!-- /fair -->\n")
    assert [problem for problem in fair.page_problems(tmp_path) if "table levels is" in problem] == []
    page.write_text(text.replace("| plain, 1 step | ", "| plain, 1 step | 9"))
    assert [problem for problem in fair.page_problems(tmp_path) if "table levels is not what is stored" in problem]


class Here:
    """Stands where processes would be started, and works here."""

    def __init__(self, count: int, context: object) -> None:
        pass

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, work, *arguments) -> Here:
        work(*arguments)
        return self

    def result(self) -> str:
        return "done"


def test_the_page_of_irflow_agrees_with_what_is_stored() -> None:
    assert fair.page_problems(Path(__file__).parents[2]) == []
