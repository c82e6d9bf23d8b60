"""The report: one page of HTML that holds everything, and the table as Markdown beside it."""

from __future__ import annotations

import base64
import hashlib
import math
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np

from irflow_cli import extras
from irflow_cli.bench.compare import bootstrap
from irflow_cli.bench.environment import environment
from irflow_cli.bench.folder import PAGE, TABLE
from irflow_cli.bench.methods import Method
from irflow_cli.bench.metrics import METRICS
from irflow_cli.bench.plots import can_plot, plots_of
from irflow_cli.bench.records import Record, averages, columns_of, label_of, markdown, show, table
from irflow_cli.bench.run import Benchmark
from irflow_cli.bench.views import view_path
from irflow_cli.regular import read_regular
from irflow_cli.runtime.files import write_atomically

VIEWED = 2**22  # bytes of a kept part of a picture
EXTREMES = 3  # worst and best pictures that are shown beside each other
RULES = (
    "Every method gets the same 8-bit input, byte for byte; its digest stands in every line of results.jsonl.",
    "Every result is rounded to 8 bits. The data range is 255, PSNR of equal pictures counts as 100 dB.",
    "Y is BT.601 luma from 16 to 235, as in the deraining papers. SSIM has a Gaussian window of 11 pixels, sigma 1.5.",
    "Clean pictures are degraded by seeds that hang on their content alone, whatever their names and order.",
    "No picture is resized or moved: a result of another size is a failure, and pairs of two sizes stop the run.",
    "Pairs are matched by name. Pictures that seem swapped stop the run; a shift or another range is listed below.",
    "All methods have the same number of threads; a command gets it by OMP_NUM_THREADS. Records of another run are kept "
    "only when it had as many, on the same processor.",
    "s/MP is the median over the pictures of the whole call after a warm-up; of a command, with its start.",
    "Where the noise level is not given, the baselines get irflow's estimate free; its time and memory are part of irflow's.",
    "MiB is the most memory a picture took on top of what was in use before the call; of a command, all of its processes'.",
    "Means are over all pictures: a metric that some are too small for has none, nor has a method that failed on one; failures "
    "are counted and listed.",
    "The shipped weights of irflow have seen no picture of the test sets in irflow's README. Of other weights and pictures "
    "this is not known; what checkpoints say of their training stands below.",
    "Memory is measured on Linux only. FID and KID, where measured, are of the whole set and stand with its last picture.",
)


@dataclass(frozen=True)
class View:
    """A part of a picture with the name of its method, as a data URI, and its PSNR."""

    label: str
    uri: str
    psnr: str


@dataclass(frozen=True)
class Shown:
    """A picture of the report: its views (input first, clean last) and the gain of the first method over the input, nan
    where there is none."""

    name: str
    gain: float
    views: list[View]


def write_report(run: Benchmark, records: list[Record]) -> Path:
    """Write report.html and table.md into the request's folder and return the page's path."""
    folder = run.request.folder
    assert folder is not None
    cells = table(records, run.request.data.resolve().name)
    write_atomically(folder / TABLE, "\n".join([*markdown(cells), ""]).encode(errors="replace"), overwrite=True)
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("irflow_cli.bench", ""), autoescape=True, undefined=jinja2.StrictUndefined
    )
    pictures = _shown(run, records)
    ranked = sorted((picture for picture in pictures if not math.isnan(picture.gain)), key=lambda picture: picture.gain)
    extremes = min(EXTREMES, len(ranked) // 2)
    page = templates.get_template("report.html.jinja").render(
        title=f"{run.request.settings.task} on {run.request.data.resolve().name}",
        cells=cells,
        lower=", ".join(metric.title for metric in METRICS.values() if not metric.higher),
        intervals=_intervals(records),
        plots=plots_of(records),
        drawn=can_plot(),
        plots_need=extras.hint("bench"),
        pictures=pictures,
        worst=ranked[:extremes],
        best=ranked[len(ranked) - extremes :][::-1],
        failures=[(record.picture, _label(record), record.error) for record in records if record.error],
        doubts=[(record.picture, _label(record), note) for record in records for note in record.notes],
        left_out=[(METRICS[name].title, why) for name, why in run.left_out.items() if not METRICS[name].weights],
        methods=[(_method_label(method, run), method.about) for method in run.methods],
        rules=RULES,
        facts=_facts(run, records),
        columns=[METRICS[name].title for name in columns_of(records)],
        metrics=[_metrics(record, columns_of(records)) for record in records],
    )
    path = folder / PAGE
    write_atomically(path, page.encode(errors="replace"), overwrite=True)  # names may be in no alphabet
    return path


def _label(record: Record) -> str:
    return label_of(record.key, record.task)


def _method_label(method: Method, run: Benchmark) -> str:
    return label_of(("", method.name, method.steps, method.variant), run.request.settings.task)


def _metrics(record: Record, columns: list[str]) -> list[str]:
    values = [show(getattr(record.scores, name), METRICS[name].digits) for name in columns]
    return [record.picture, _label(record), *values]


def _intervals(records: list[Record]) -> list[tuple[str, str, str]]:
    """Return (method, mean gain in PSNR, its 95 % interval over the pictures) of every method."""
    start = {(record.degrade, record.picture): record.scores.psnr for record in records if record.method == "input"}
    several, found = len({record.degrade for record in records}) > 1, []
    for key in averages(records):
        gain = [
            record.scores.psnr - start[record.degrade, record.picture]
            for record in records
            if record.key == key and not record.error
        ]
        if key[1] != "input" and len(gain) == sum(record.key == key for record in records):
            low, high = bootstrap(np.array(gain))
            label = label_of(key if several else ("", *key[1:]), records[0].task)
            found.append((label, f"{sum(gain) / len(gain):+.2f}", f"{low:+.2f} to {high:+.2f}"))
    return found


def _shown(run: Benchmark, records: list[Record]) -> list[Shown]:
    """Return the pictures with the parts of them that were kept, in order."""
    folder = run.request.folder
    assert folder is not None
    cases: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        cases.setdefault((record.degrade, record.picture), []).append(record)
    pictures = []
    for (degrade, picture), group in cases.items():
        files = [
            (label_of(("", *record.key[1:]), record.task), record.identity or "input", record)
            for record in group
            if not record.error
        ]
        views = [
            _view(view_path(folder, record.digest, name), label, f"{record.scores.psnr:.2f} dB")
            for label, name, record in files
        ]
        views.append(_view(view_path(folder, group[0].digest, "clean"), "clean", ""))
        there = [view for view in views if view is not None]
        gain = group[1].scores.psnr - group[0].scores.psnr if len(group) > 1 else math.nan  # nan where the first method failed
        pictures += [Shown(f"{picture} {degrade}".strip(), gain, there)] if len(there) > 1 else []
    return pictures


def _view(path: Path, label: str, psnr: str) -> View | None:
    try:
        data = read_regular(path, VIEWED)
    except OSError:
        return None
    return View(label, "data:image/webp;base64," + base64.b64encode(data).decode(), psnr)


def _facts(run: Benchmark, records: list[Record]) -> list[tuple[str, str]]:
    """Return what the run was made with: (name, value)."""
    data = hashlib.sha256("".join(sorted({record.digest for record in records})).encode()).hexdigest()[:16]
    return [
        ("command", "irflow " + shlex.join(sys.argv[1:])),
        *environment(run.request.settings).items(),
        ("data", f"{run.request.data.resolve().name}, {len(run.samples)} pictures, digest {data}"),
        ("border", f"{run.request.border} pixels"),
        ("failures", str(sum(record.error is not None for record in records))),
    ]
