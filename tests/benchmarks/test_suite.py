"""The suite that fills README.md and docs/ from measured results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import choices
import networks
import pytest
import suite
import torch

from irflow_cli.bench import plots
from irflow_cli.bench.records import read_environment, read_records, write_records
from irflow_cli.engines.settings import ENLARGING, FILLING, RELEASED_RULE, offered


@dataclass(frozen=True)
class Finished:
    """What the script came to."""

    code: int
    err: str


@pytest.fixture
def measured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Finished]:
    """Return `python benchmarks/suite.py` on the sets in the test's folder."""

    def call(name: str, *arguments: object) -> Finished:
        code = suite.main([name, str(tmp_path), *map(str, arguments)])
        return Finished(code, capsys.readouterr().err)

    return call


def test_an_unknown_suite_is_refused(measured) -> None:
    with pytest.raises(SystemExit):
        measured("papers")


def test_a_suite_without_its_page_is_one_line(measured, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = measured("readme")
    assert (done.code, "run this at the root of irflow's source tree" in done.err) == (2, True)


def test_a_suite_fills_the_readme_and_a_difference_is_found(measured, pairs, tiny_checkpoint, tmp_path, monkeypatch) -> None:
    entries = {"tiny": suite.Entry("set", 2, "Tiny", "derain", steps=(1,)), "absent": suite.Entry("none", 2, "None", "derain")}
    monkeypatch.setitem(suite.SUITES, "readme", entries)
    readme, results = (tmp_path / page for page in suite.PAGES["readme"])
    readme.write_text("before\n<!-- bench tiny -->\nold\n<!-- /bench -->\nafter\n")
    results.parent.mkdir()
    results.write_text("<!-- bench absent -->\nkept\n<!-- /bench -->\n")
    monkeypatch.chdir(tmp_path)
    script = tmp_path / suite.SCRIPTS["readme"]
    script.parent.mkdir()
    script.write_text("import pathlib, sys\npathlib.Path('asked').write_text(' '.join(sys.argv[1:]))\n")
    checkpoint = str(tiny_checkpoint("derain"))
    problems = lambda: suite.page_problems(tmp_path, "readme", checkpoint)  # noqa: E731
    assert problems() == []  # nothing is stored yet
    done = measured("readme", "--checkpoint", checkpoint)
    assert done.code == 0, done.err
    assert (tmp_path / "asked").read_text() == f"--store --threads {torch.get_num_threads()}"
    text = readme.read_text()
    assert text.startswith("before\n<!-- bench tiny -->\n`irflow bench set/ --task derain --steps 1`\n\n| Tiny, 2 pictures")
    assert text.endswith("<!-- /bench -->\nafter\n")
    assert results.read_text() == "<!-- bench absent -->\nkept\n<!-- /bench -->\n"
    assert len(read_records(tmp_path / suite.STORE / "tiny.jsonl")) == 4
    assert "other weights or code" in suite.page_problems(tmp_path, "readme")[0]  # than those that ship
    assert problems() == ["results.md's table absent has no results in benchmarks/results/absent.jsonl"]
    readme.write_text(text.replace("derain, 1 step | ", "derain, 1 step | 9"))
    assert "table tiny is not what" in problems()[0]
    del entries["absent"]
    assert "a table absent that no suite has" in problems()[0]
    results.write_text(readme.read_text())  # a table may stand on both pages, and each is checked
    readme.write_text(text)
    assert [problem.partition(" is not")[0] for problem in problems()] == ["results.md's table tiny"]
    results.write_text("<!-- bench tiny -->\n<!-- /bench -->\n")
    suite.fill_pages("readme", tmp_path, checkpoint)
    assert problems() == []
    assert ("PSNR-Y" in results.read_text(), "PSNR-Y" in readme.read_text()) == (True, False)  # which is narrow
    results.write_text("no table")
    readme.write_text("no table")
    assert "results.md lacks the table tiny" in problems()[0]
    for kind in ("clean", "degraded"):
        (pairs / kind / "one.png").unlink()
    partial = measured("readme", "--checkpoint", checkpoint)
    assert "has 1 pictures, the set 2" in partial.err
    assert len(read_records(tmp_path / suite.STORE / "tiny.jsonl")) == 4  # what was measured on the whole set stays
    script.write_text("raise SystemExit(3)")
    failed = measured("readme", "--checkpoint", checkpoint)
    assert (failed.code, "benchmarks/speed.py failed (3)" in failed.err) == (5, True)


def test_what_has_not_changed_is_kept_of_another_machine_and_the_page_says_so(
    measured, pairs, tiny_checkpoint, tmp_path, monkeypatch
) -> None:
    checkpoint, page = str(tiny_checkpoint("derain")), tmp_path / "README.md"
    page.write_text("<!-- bench tiny -->\n<!-- /bench -->\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "results.md").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(suite, "SCRIPTS", {})
    store = tmp_path / suite.STORE / "tiny.jsonl"
    for steps in ((1,), (1, 2), (1, 2, 3)):
        monkeypatch.setitem(suite.SUITES, "readme", {"tiny": suite.Entry("set", 2, "Tiny", "derain", steps=steps)})
        done = measured("readme", "--checkpoint", checkpoint)
        assert done.code == 0, done.err
        kept = "; what has not changed, then, An old one."
        assert (kept in page.read_text()) == (len(steps) > 1)
        if len(steps) == 1:
            made_with = {**read_environment(store), "date": "then", "processor": "An old one"}
            write_records(store, [replace(one, scores=replace(one.scores, psnr=1.0)) for one in read_records(store)], made_with)
    assert [one.scores.psnr == 1 for one in read_records(store)] == 2 * [True, True, False, False]


def test_tables_are_measured_some_at_a_time_and_the_pages_filled_at_the_end(measured, tmp_path, monkeypatch) -> None:
    entries = {key: suite.Entry("set", 2, key, "derain", steps=(1,)) for key in ("first", "second", "third")}
    monkeypatch.setitem(suite.SUITES, "curves", entries)
    monkeypatch.setattr(suite, "available_cores", lambda: 4)
    own = tmp_path / "suite.py"
    own.write_text(
        "import os, pathlib, sys\n"
        "key = sys.argv[sys.argv.index('--only') + 1]\n"
        "pathlib.Path(key).write_text(' '.join([os.environ['OMP_NUM_THREADS'], *sys.argv[1:]]))\n"
        "print(key, 'measured', file=sys.stderr)\n"
        "sys.exit(key == 'second')\n"
    )
    monkeypatch.setattr(suite, "OWN", own)
    filled = []
    monkeypatch.setattr(suite, "fill_pages", lambda *given: filled.append(given[0]))
    monkeypatch.chdir(tmp_path)
    done = measured("curves", "--jobs", 2, "--device", "cpu")
    assert (done.code, filled) == (1, ["curves"])
    assert sorted(done.err.splitlines()) == ["first measured", "second measured", "third measured"]
    for key in entries:
        asked = f"2 curves {tmp_path} --jobs 2 --device cpu --only {key} --keep-pages"
        assert (tmp_path / key).read_text() == asked


def test_a_suite_of_curves_fills_its_page_and_draws_them(measured, pairs, tiny_checkpoint, tmp_path, monkeypatch) -> None:
    sweep = {"samplers": ("euler",), "grids": ("released", "uniform"), "strengths": (0.5, 1.0), "plotted": True}
    monkeypatch.setitem(suite.SUITES, "curves", {"tiny": suite.Entry("set", 2, "Tiny", "derain", steps=(1, 2), **sweep)})
    (page,) = (tmp_path / page for page in suite.PAGES["curves"])
    page.parent.mkdir()
    page.write_text("<!-- bench tiny -->\n<!-- /bench -->\n")
    monkeypatch.chdir(tmp_path)
    done = measured("curves", "--checkpoint", tiny_checkpoint("derain"))
    assert done.code == 0, done.err
    assert "derain --sampler euler --grid released,uniform --strength 0.5,1 --steps 1,2`" in page.read_text()
    assert "| derain, 2 steps, euler, uniform grid, strength 0.5 |" in page.read_text()
    assert (tmp_path / suite.PLOTS / "tiny.svg").is_file() == plots.can_plot()


def test_public_networks_stand_in_the_same_table(measured, pairs, tiny_checkpoint, tmp_path, monkeypatch) -> None:
    entry = suite.Entry("set", 2, "Tiny", "derain", steps=(1,), networks="networks/tiny")
    monkeypatch.setitem(suite.SUITES, "curves", {"tiny": entry})
    (page,) = (tmp_path / page for page in suite.PAGES["curves"])
    page.parent.mkdir()
    page.write_text("<!-- bench tiny -->\nold\n<!-- /bench -->\n")
    monkeypatch.chdir(tmp_path)
    checkpoint = tiny_checkpoint("derain")
    lacking = measured("curves", "--checkpoint", checkpoint)
    assert (lacking.code, "networks/tiny; its table is left as it is" in lacking.err) == (0, True)
    assert "old" in page.read_text()
    place = tmp_path / "networks" / "tiny" / "PReNet6"
    place.mkdir(parents=True)
    torch.save(networks.PReNet().state_dict(), place / "net_latest.pth")
    done = measured("curves", "--checkpoint", checkpoint)
    assert done.code == 0, done.err
    lines = page.read_text().splitlines()
    assert lines[1] == "`python benchmarks/networks.py networks/tiny/ derain set/ --steps 1`"
    assert [line.split(" | ")[0] for line in lines[5:8]] == ["| input", "| derain, 1 step", "| PReNet6"]


def test_what_to_choose_is_what_the_curves_measured() -> None:
    root = Path(__file__).parents[2]
    table = choices.rendered(partial(suite.stored, root))
    assert "| - |" not in table  # every way stands in a curve
    records = suite.stored(root, "curve-large")
    dear = [record for record in records if record.variant == "texture"]
    better = [replace(record, scores=replace(record.scores, psnr=record.scores.psnr + 1)) for record in dear]
    others = [record for record in records if record.variant != "texture"]
    changed = choices.rendered(lambda key: [*others, *better] if key == "curve-large" else suite.stored(root, key))
    mean = sum(record.scores.psnr for record in dear) / len(dear)
    assert changed == table.replace(f"{mean:.2f} ", f"{mean + 1:.2f} ")
    assert changed != table


CURVES = suite.SUITES["curves"]
EQUAL = [key for key in CURVES if key.startswith("samplers-") and CURVES[key].presets]


@pytest.mark.parametrize(("task", "presets"), [("inpaint", FILLING), ("upscale", ENLARGING)])
def test_every_preset_that_is_offered_has_a_row(task: str, presets: tuple[str, ...]) -> None:
    measured = [
        preset
        for entries in suite.SUITES.values()
        for entry in entries.values()
        if entry.task == task
        for preset in entry.presets
    ]
    assert set(presets) <= set(measured)


def test_every_guided_sampler_has_a_row_in_each_table_of_equal_calls() -> None:
    assert len(EQUAL) == 3
    for key in EQUAL:
        assert {preset.partition(":")[0].partition("=")[0] for preset in CURVES[key].presets} == set(offered()), key
    rules = {sampler for entry in CURVES.values() if "irflow-prior" in entry.methods for sampler in entry.samplers}
    assert rules == {"euler", RELEASED_RULE}


@pytest.mark.parametrize("key", EQUAL)
def test_calls_that_are_said_to_be_equal_are(key: str) -> None:
    calls = [record.scores.nfe for record in suite.stored(Path(__file__).parents[2], key) if record.method != "input"]
    assert 44 <= min(calls) <= max(calls) <= 48


@pytest.mark.parametrize("name", suite.SUITES)
def test_the_pages_of_irflow_agree_with_their_stored_results(name: str) -> None:
    root = Path(__file__).parents[2]
    assert suite.page_problems(root, name) == []
    tables = suite.parts_of("\n".join((root / page).read_text("utf-8") for page in suite.PAGES[name]))
    assert set(tables) == set(suite.SUITES[name])
    assert all((root / suite.PLOTS / f"{key}.svg").is_file() for key, entry in suite.SUITES[name].items() if entry.plotted)
    assert all(stored.startswith(("`irflow bench ", "`python benchmarks/networks.py ")) for stored in tables.values())
