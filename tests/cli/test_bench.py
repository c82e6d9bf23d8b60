"""`irflow bench` from end to end, on a network of random weights."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image

from irflow_cli.bench import baselines as baselines
from irflow_cli.bench import methods, plots, run, speed
from irflow_cli.bench import metrics as metrics
from irflow_cli.bench.metrics import METRICS, Scores
from irflow_cli.bench.records import Record, markdown, read_records
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import ImageError
from irflow_cli.images.decode import read_picture

TOOL = """
import sys
from PIL import Image
picture, what = Image.open(sys.argv[1]), sys.argv[3] if len(sys.argv) > 3 else ""
if what == "fail":
    sys.exit("no licence")
if what == "crop":
    picture = picture.crop((1, 0, *picture.size))
picture.point(lambda value: value // 255 if what == "range" else value).save(sys.argv[2])
"""


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for seed, name in enumerate(("one", "two <b>")):
        clean = scene(64, 72, 3 * seed)
        for kind, pixels in (("clean", clean), ("degraded", clean // 2 + 60)):
            (tmp_path / "set" / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "set" / kind / f"{name}.png")
    return tmp_path / "set"


@pytest.fixture
def bench(irflow, tiny_checkpoint) -> Callable:
    """Return `irflow bench` with a tiny checkpoint."""

    def call(data: Path, *arguments: object, task: str = "derain"):
        return irflow("bench", data, "--task", task, "--checkpoint", tiny_checkpoint(task), *arguments)

    return call


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str], str]:
    (tmp_path / "tool.py").write_text(TOOL)
    return lambda what: shlex.join([sys.executable, str(tmp_path / "tool.py"), "{in}", "{out}", what])


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """Return a list that grows with every picture a method works on, but for warm-ups."""
    calls: list[str] = []
    measured = run._measured

    def measure(this, case, method, fresh):
        calls.append(case.picture)
        return measured(this, case, method, fresh)

    monkeypatch.setattr(run, "_measured", measure)
    return calls


def lines(text: str) -> list[dict]:
    """Return the records among lines of JSON."""
    return [record for record in map(json.loads, text.splitlines()) if "environment" not in record]


def test_settings_are_every_combination_and_each_is_told_apart(pairs, bench) -> None:
    done = bench(pairs, "--steps", "1,2", "--grid", "released,uniform", "--strength", "0.5,1", "--json")
    names = [
        (record["steps"], record["variant"])
        for record in lines(done.out)
        if record["picture"] == "one" and record["method"] == "irflow"
    ]
    assert len(set(names)) == len(names) == 8
    assert (2, "uniform grid, strength 0.5") in names
    results = {(record["steps"], record["variant"]): record["psnr"] for record in lines(done.out) if record["picture"] == "one"}
    assert results[1, "released grid"] != results[2, "released grid"] != results[2, "released grid, strength 0.5"]


class Means(torch.nn.Module):
    """Stands for the Inception network."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float().mean((2, 3))


def test_metrics_of_sets_stand_with_their_last_picture(tmp_path, bench, monkeypatch) -> None:
    for seed in range(metrics.LEAST):
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.fromarray(scene(24, 24, seed)).save(tmp_path / "set" / f"{seed}.png")
    monkeypatch.setattr(metrics, "inception", Means)
    monkeypatch.setattr(metrics, "absent", lambda: {})
    monkeypatch.setattr(run, "measure", lambda *rest: {"psnr": 20.0})
    monkeypatch.setattr(run, "due", lambda *rest: {"psnr": METRICS["psnr"]})
    done = bench(tmp_path / "set", "--degrade", "rain:0.5,rain:1", "--report", tmp_path / "out")
    header, _, *body = [line.split(" | ") for line in done.out.splitlines() if line.startswith("|")]
    assert len(body) == 4
    assert all(float(cells[header.index("FID")]) > 0 for cells in body)
    stored = read_records(tmp_path / "out" / "results.jsonl")
    assert {record.picture for record in stored if record.scores.fid == record.scores.fid} == {stored[-1].picture}
    whole = (tmp_path / "out" / "results.jsonl").read_text()
    for lines_left in (-1, -9, None):  # a run that was broken off goes on with the features of what it has
        (tmp_path / "out" / "results.jsonl").write_text("".join(whole.splitlines(True)[:lines_left]))
        assert bench(tmp_path / "set", "--degrade", "rain:0.5,rain:1", "--report", tmp_path / "out").code == 0
        again = read_records(tmp_path / "out" / "results.jsonl")
        assert [(record.scores.fid, record.scores.kid) for record in again[-4:]] == [
            (record.scores.fid, record.scores.kid) for record in stored[-4:]
        ]
        assert {record.picture for record in again if record.scores.fid == record.scores.fid} == {again[-1].picture}
    next((tmp_path / "out" / "results.features").iterdir()).unlink()
    again = bench(tmp_path / "set", "--degrade", "rain:0.5,rain:1", "--report", tmp_path / "out")
    assert "FID and KID need the whole set" in again.err


def test_an_interrupted_run_goes_on_where_it_stopped(pairs, bench, counted, tmp_path) -> None:
    out = tmp_path / "out"
    assert bench(pairs, "--report", out).code == 0
    whole = (out / "results.jsonl").read_text()
    assert len(counted) == len(lines(whole)) == 4
    (out / "results.jsonl").write_text(whole[: len(whole) - 200])  # torn in the last line, as a kill leaves it
    counted.clear()
    assert bench(pairs, "--report", out).code == 0
    assert counted == ["two <b>"]
    again = [{k: v for k, v in record.items() if k not in ("seconds_per_mp", "peak_mib")} for record in lines(whole)]
    kept = lines((out / "results.jsonl").read_text())
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


class Page(HTMLParser):
    """What the tests ask a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_is_one_page_that_holds_everything(pairs, bench, tmp_path) -> None:
    out = tmp_path / "out"
    done = bench(pairs, "--steps", "1,2", "--report", out)
    assert done.code == 0
    page = Page((out / "report.html").read_text())
    text = " ".join(page.text)
    for needed in ("Gain over the input", "Worst cases", "Best cases", "trained on", "digest", "threads", "border", "two <b>"):
        assert needed in text
    assert "b" not in {tag for tag, _ in page.tags}  # names are escaped
    sources = [attributes[key] for _, attributes in page.tags for key in ("src", "href") if attributes.get(key)]
    assert sources
    assert all(str(source).startswith(("data:image/webp;base64,", "#")) for source in sources)
    assert not [tag for tag, attributes in page.tags if tag == "link" or (tag == "script" and attributes)]
    sliders = [attributes for tag, attributes in page.tags if tag == "input" and attributes.get("type") == "range"]
    assert len(sliders) == 2
    assert (out / "table.md").read_text().strip() == done.out.strip()
    assert len(list((out / "pictures").rglob("*.webp"))) == 2 * 4  # input, two trajectories, clean
    with Image.open(next((out / "pictures").rglob("clean.webp"))) as view:
        assert view.size == (72, 64)


def test_a_report_without_matplotlib_says_where_its_plots_are(pairs, bench, tmp_path, monkeypatch) -> None:
    for name in ("plots", "report"):
        monkeypatch.setattr(f"irflow_cli.bench.{name}.can_plot", lambda: False)
    assert bench(pairs, "--report", tmp_path / "out").code == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "irflow[bench]" in page
    assert "<svg" not in page


def test_namesget_the_same_inputs_and_failures_are_listed(pairs, bench, tool, tmp_path) -> None:
    options = [part for what in ("", "fail", "crop", "range") for part in ("--baseline-command", tool(what))]
    done = bench(pairs, *options, "--report", tmp_path / "out", "--json")
    assert done.code == 1
    found = {(record["picture"], record["method"].split()[-1]): record for record in lines(done.out)}
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


def test_classical_namesdenoise(irflow, tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(scene(64, 72)).save(tmp_path / "photos" / "a.png")
    base = ("bench", tmp_path / "photos", "--task", "denoise", "--degrade", "noise:25", "--json", "--methods")
    records = {record["method"]: record for record in lines(irflow(*base, "opencv-nlm,nlm").out)}
    assert list(records) == ["input", "opencv-nlm", "nlm"]
    assert all(record["psnr"] > records["input"]["psnr"] + 3 for name, record in records.items() if name != "input")
    told = irflow(*base, "opencv-nlm", "--sigma", 5)
    assert lines(told.out)[1]["psnr"] < records["opencv-nlm"]["psnr"] - 1  # the level that is told is the one that is used


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--methods", "magic"), 2, "opencv-nlm"),
        (("--baseline-command", "tool in out"), 2, "{in}"),
        (("--baseline", "none.pth"), 4, "does not exist"),
        (("--border", "-1"), 2, "--border"),
        (("--task", "fog"), 2, "unknown task 'fog'; there are derain, denoise, deraindrop, inpaint, upscale"),
        (("--steps", "two"), 2, "--steps"),
        (("--grid", "cubic"), 2, "released"),
        (("--degrade", "fog"), 2, "--degrade"),
        (("--masks", "somewhere"), 2, "--masks is for --task inpaint"),
        (("--degrade", "noise:25", "--crop", "5"), 2, "--crop must be"),
        (("--task", "inpaint"), 2, "--degrade of inpaint is one of"),
        (("--task", "inpaint", "--degrade", "thin:3"), 2, "--degrade of inpaint is one of"),
        (("--task", "inpaint", "--masks", "nowhere"), 2, "there is no folder nowhere"),
        (("--task", "upscale", "--degrade", "area:7"), 2, "--degrade of upscale is"),
        (("--task", "upscale", "--degrade", "area:2,grid:2"), 2, "one operator and one scale"),
        (("--task", "inpaint", "--degrade", "pixels:1.5"), 2, "--degrade of inpaint is one of"),
        (("--task", "inpaint", "--degrade", "grid:0"), 2, "--degrade of inpaint is one of"),
        (("--task", "inpaint", "--degrade", "thin", "--presets", "magic:3"), 2, "unknown sampler"),
        (("--task", "inpaint", "--degrade", "thin", "--presets", "slow"), 2, "SAMPLER=WEIGHT:STEPS"),
        (("--task", "inpaint", "--degrade", "thin", "--steps", "1,2"), 2, "give inpaint --presets"),
        (("--task", "upscale", "--degrade", "area:2", "--ensemble"), 2, "give upscale --presets"),
        (("--task", "derain", "--presets", "fast"), 2, "give --steps"),
        (("--task", "derain", "--crop", "32"), 2, "not pairs"),
        (("--degrade", "noise:25,noise:15,noise:25"), 2, "--degrade has noise:25 more than once"),
        (("--baseline-command", "tool '{in} {out}"), 2, "No closing quotation"),
        (("--baseline-command", "./input {in} {out}"), 2, "cannot be called input"),
        (("--methods", "opencv-nlm", "--grid", "uniform"), 2, "irflow's, which is not among --methods"),
        (("--task", "derain", "--speed", "0.1"), 2, "DATA has no meaning with --speed; leave it out"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments: tuple[str, ...], code: int, message: str, bench, tmp_path) -> None:
    for kind in ("clean", "degraded"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        Image.fromarray(scene(64, 72)).save(tmp_path / "set" / kind / "a.png")
    done = bench(tmp_path / "set", "--quiet", *arguments, task="denoise")
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("sizes", ["0", "-1", "1,nan"])
def test_sizes_that_no_picture_has_are_refused(irflow, sizes: str, tiny_checkpoint) -> None:
    done = irflow("bench", "--task", "derain", f"--speed={sizes}", "--checkpoint", tiny_checkpoint("derain"))
    assert (done.code, "megapixels above 0" in done.err, done.out) == (2, True, "")


def test_what_cannot_be_measured_is_told_to_those_who_ask(pairs, bench, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    done = bench(pairs)
    assert "LPIPS" not in done.err
    assert "FID" not in done.err
    few = bench(pairs, "--metrics", "psnr,ssim")
    assert few.out.splitlines()[0].split(" | ")[1:] == ["PSNR", "SSIM", "s/MP", "MiB", "parameters |"]
    refused = bench(pairs, "--metrics", "psnr,dists")
    assert (refused.code, "DISTS cannot be measured here" in refused.err, refused.err.count("\n")) == (2, True, 1)
    unknown = bench(pairs, "--metrics", "beauty")
    assert (unknown.code, "no metric is called 'beauty'" in unknown.err) == (2, True)


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


def test_a_method_without_memory_is_a_failure_and_no_case_of_the_first(pairs, bench, tmp_path, monkeypatch) -> None:
    real = methods.Restorer.restore

    def restore(this, picture, *rest):
        if picture.pixels.shape[0] == 64 and (picture.pixels == read_picture(pairs / "degraded/one.png").pixels).all():
            raise MemoryError
        return real(this, picture, *rest)

    monkeypatch.setattr(methods.Restorer, "restore", restore)
    done = bench(pairs, "--report", tmp_path / "out", "--steps", "1,2", "--json")
    assert done.code == 1
    assert {record["picture"] for record in lines(done.out) if record["error"]} == {"one"}
    assert all(
        record["error"] == "MemoryError"
        for record in lines(done.out)
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
    assert [record["nfe"] for record in lines(done.out)] == [None, 0]


def test_a_command_that_takes_too_long_ends_with_all_that_it_started(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(baselines, "TIMEOUT", 0.3)
    with pytest.raises(ImageError, match="took more than"):
        baselines.watched(["sh", "-c", f"sleep 1; touch {tmp_path / 'late'}; true"], tmp_path / "errors")
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


def test_data_and_task_must_be_given(irflow, pairs) -> None:
    assert irflow("bench", pairs).code == irflow("bench", "--task", "derain").code == 2


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


@pytest.fixture
def clean_set(tmp_path: Path) -> Path:
    folder = tmp_path / "clean set"
    folder.mkdir()
    for seed in range(2):
        Image.fromarray(scene(70, 81, 5 * seed)).save(folder / f"{seed}.png")
    return folder


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


def test_masks_of_a_folder_go_with_every_picture(irflow, clean_set, tiny_checkpoint, tmp_path) -> None:
    (tmp_path / "strokes").mkdir()
    for index in range(3):
        hole = np.zeros((64, 64), np.uint8)
        hole[10 * index : 10 * index + 8, 20:40] = 255
        Image.fromarray(hole).save(tmp_path / "strokes" / f"m{index}.png")
    command = ("bench", clean_set, "--task", "inpaint", "--methods", "telea", "--masks", tmp_path / "strokes", "--json")
    done = irflow(*command, "--crop", 64)
    assert done.code == 0, done.err
    records = [json.loads(line) for line in done.out.splitlines()]
    assert sorted({record["picture"] for record in records}) == [
        f"{picture} m{mask}" for picture in (0, 1) for mask in (0, 1, 2)
    ]
    assert {record["degrade"] for record in records} == {"strokes"}
    clean = read_picture(clean_set / "0.png").rgb8()[3:67, 8:72].astype(float)
    degraded = clean.copy()
    degraded[:8, 20:40] = 0
    wanted = 10 * np.log10(255**2 / np.mean((clean - degraded) ** 2))
    assert next(
        record["psnr"] for record in records if record["picture"] == "0 m0" and record["method"] == "input"
    ) == pytest.approx(wanted, abs=1e-3)
    whole = irflow(*command)  # the masks do not have the size of the whole pictures
    assert (whole.code, "--crop cuts it" in whole.err) == (1, True)


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
    done = irflow(*command, "--methods", "irflow,bicubic,lanczos", "--presets", "fast")
    assert done.code == 0, done.err
    records = [json.loads(line) for line in done.out.splitlines()]
    assert len(records) == 2 * 4
    assert not any(record["error"] for record in records)
    psnr = {record["method"]: record["psnr"] for record in records if record["picture"] == "0"}
    assert psnr["bicubic"] > 15


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


def test_compare_tells_what_got_worse(irflow, pairs, bench, tmp_path) -> None:
    for number in range(8):
        for kind in ("clean", "degraded"):
            (pairs / kind / f"{number}.png").write_bytes((pairs / kind / "one.png").read_bytes())
    assert bench(pairs, "--report", tmp_path / "old").code == 0
    assert bench(pairs, "--report", tmp_path / "new", "--strength", "1").code == 0
    old, new = (tmp_path / name / "results.jsonl" for name in ("old", "new"))
    records = lines(new.read_text())
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


def test_a_command_is_another_when_its_program_is(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    before = baselines.command(f"{tool} {{in}} {{out}}").identity
    assert baselines.command(f"{tool} {{in}} {{out}}").identity == before
    tool.write_text("#!/bin/sh\necho\n")
    assert baselines.command(f"{tool} {{in}} {{out}}").identity != before


def test_names_of_commands_mean_nothing_to_the_plots() -> None:
    if not plots.can_plot():
        pytest.skip("no matplotlib")
    scores = Scores(psnr=20, vif=0.5, seconds_per_mp=1.0)
    records = [
        Record("a", "input", 0, Scores()),
        Record("a", "sh -c cp $1 o_%_.png; mv $2", 0, scores),
        Record("a", "_x", 0, scores),
    ]
    [(_, svg)] = plots.plots_of(records)
    assert "cp $1 o_%_.png" in svg
    assert ">x<" in svg


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser")
def test_a_browser_shows_the_report(pairs, bench, tmp_path: Path) -> None:
    assert bench(pairs, "--report", tmp_path / "out").code == 0
    page = (tmp_path / "out" / "report.html").as_uri()
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    options = ["--window-size=1200,1600", f"--screenshot={tmp_path / 'shot.png'}", "--dump-dom", page]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    stages = done.stdout.count('class="stage"')
    assert stages == 2
    assert done.stdout.count('<img class="before" alt="left" src="data:image/webp;base64,') == stages  # by its script
    if (tmp_path / "shot.png").is_file():
        assert np.ptp(read_picture(tmp_path / "shot.png").rgb8()) > 100


def test_compare_tells_what_is_gone(irflow, pairs, bench, tmp_path) -> None:
    assert bench(pairs, "--report", tmp_path / "old", "--steps", "1,2").code == 0
    old, new = tmp_path / "old" / "results.jsonl", tmp_path / "new.jsonl"
    records = lines(old.read_text())
    new.write_text("".join(json.dumps(record) + "\n" for record in records if record["steps"] != 2))
    gone = irflow("bench", "--compare", old, new)
    assert (gone.code, "derain, 2 steps is not there" in gone.err) == (1, True)
    for record in records:
        record["error"] = "no memory" if (record["steps"], record["picture"]) == (2, "one") else None
    new.write_text("".join(json.dumps(record) + "\n" for record in records))
    gone = irflow("bench", "--compare", old, new)
    assert (gone.code, "derain, 2 steps has no metrics of 1 pictures, such as one" in gone.err) == (1, True)


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
        (record["picture"], record["method"]): record for record in lines((tmp_path / "out" / "results.jsonl").read_text())
    }
    assert all(records["one", method]["error"] and records["one", method]["psnr"] is None for method in ("input", "irflow"))
    assert all(records["two <b>", method]["error"] is None for method in ("input", "irflow"))
    assert "damaged or incomplete" in (tmp_path / "out" / "report.html").read_text()


def test_lines_are_always_written_and_tell_what_they_were_made_with(pairs, bench, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path / "cache"))
    for _ in range(2):  # the second run is a run of its own
        done = bench(pairs)
        [path] = (tmp_path / "cache" / "bench").iterdir()
        assert str(path) in done.err
        first, *rest = map(json.loads, path.read_text().splitlines())
        assert {"threads", "device, precision", "packages"} <= first["environment"].keys()
        assert len(rest) == 4


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
        r["method"]: r for r in lines(bench(pairs, "--baseline", tmp_path / "half.pth", "--baseline", own, "--json").out)
    }
    assert list(records) == ["input", "irflow", "half", f"irflow {own.stem}"]
    assert records["half"]["parameters"] == 12
    clean, degraded = (np.array(Image.open(pairs / kind / "two <b>.png")).astype(float) for kind in ("clean", "degraded"))
    error = ((np.round(degraded / 2) - clean) ** 2).mean()
    assert records["half"]["psnr"] == pytest.approx(10 * np.log10(255**2 / error), abs=0.02)
    Descriptor.scale = 2
    assert bench(pairs, "--baseline", tmp_path / "half.pth").code == 4
    Descriptor.__call__ = lambda self, image, *mask: (image if mask else image.repeat(1, 1, 2, 2)) / 2  # type: ignore[method-assign]
    prior = ("--checkpoint", tiny_checkpoint("prior"), "--baseline", tmp_path / "half.pth", "--json")
    larger = irflow("bench", pairs / "clean", "--task", "upscale", "--degrade", "area:2", *prior)
    assert {record["method"] for record in lines(larger.out) if record["error"] is None} == {"input", "irflow", "half"}
    hole = ("bench", pairs / "clean", "--task", "inpaint", "--degrade", "thin", *prior)
    assert irflow(*hole).code == 4
    Descriptor.scale = 1
    library.MaskedImageModelDescriptor = Descriptor  # type: ignore[attr-defined]
    assert {record["method"] for record in lines(irflow(*hole).out) if record["error"] is None} == {"input", "irflow", "half"}
    monkeypatch.setitem(sys.modules, "spandrel", None)
    assert "irflow[baselines]" in bench(pairs, "--baseline", tmp_path / "half.pth").err


def test_memory_of_a_call_is_counted() -> None:
    if np.isnan(methods.memory("VmHWM")):
        pytest.skip("this system does not tell")

    def hungry(pixels: np.ndarray) -> np.ndarray:
        return np.ones(80 * 2**20, np.uint8)[: pixels.size].reshape(pixels.shape).copy()  # all is free again at the end

    pixels = np.zeros((4, 4, 3), np.uint8)
    modest = methods.in_process(lambda pixels: pixels)(pixels)
    assert methods.in_process(hungry)(pixels).mib == pytest.approx(80, abs=8)
    assert modest.mib < 8


def test_a_command_that_does_not_exist_is_a_failure() -> None:
    with pytest.raises(Exception, match="No such file"):
        baselines.command("no-such-tool-anywhere {in} {out}").run(np.zeros((4, 4, 3), np.uint8))


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
    done = irflow("bench", "--task", task, "--speed", "0.01", "--checkpoint", tiny_checkpoint("prior"), "--device", "cpu")
    assert done.code == 0, done.err
    assert f"{task}, 0.01 MP JPEG" in done.out
    assert "network, 32 x 32" in done.out
    assert "folder" not in done.out
    spare = irflow("bench", "--task", task, "--speed", "0.01", "--steps", 2)
    assert (spare.code, "--steps has no meaning with --speed" in spare.err) == (2, True)


def test_tables_are_markdown_and_every_metric_has_a_title() -> None:
    assert markdown([["a|b", "c"], ["d", "e"]]) == ["| a\\|b | c |", "|---|---|", "| d | e |"]
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)
