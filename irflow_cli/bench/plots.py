"""The plots of the report, as SVG. They need matplotlib (extra `bench`); without it there are none."""

from __future__ import annotations

import importlib.util
import io
import math
import re

from irflow_cli.bench.metrics import METRICS, Scores
from irflow_cli.bench.records import Key, Record, averages

NUMBER = re.compile(r"\d+(\.\d+)?")
PERCEPTUAL = (
    "lpips",
    "st_lpips",
    "dists",
    "ssimulacra2",
    "vif",
    "ms_ssim",
)  # the first that was measured is the perceptual axis


def can_plot() -> bool:
    """Return whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def plots_of(records: list[Record]) -> list[tuple[str, str]]:
    """Return (caption, SVG) of the plots that the records are enough for; none without matplotlib."""
    if not can_plot():
        return []
    found = []
    for degrade in dict.fromkeys(record.degrade for record in records):
        means = {key: mean for key, mean in averages(records).items() if key[0] == degrade and key[1] != "input"}
        where = f", {degrade}" if degrade else ""
        sweep = {key: mean for key, mean in means.items() if key[2]}
        axis = next((name for name in PERCEPTUAL if any(_there(mean, name) for mean in means.values())), None)
        if axis is not None and len(sweep) > 1:
            svg = _curves(sweep, "psnr", axis, records[0].task)
            found.append((f"Distortion and perception over steps{where}: up and to the right is better", svg))
        if any(_there(mean, "seconds_per_mp") for mean in means.values()):
            svg = _curves(means, "seconds_per_mp", "psnr", records[0].task)
            found.append((f"Quality and time{where}: up and to the left is better", svg))
    return found


def _there(mean: Scores, name: str) -> bool:
    return not math.isnan(getattr(mean, name))


def _curves(means: dict[Key, Scores], across: str, up: str, task: str) -> str:
    """Return a plot of two metrics: a curve over the steps of every method and variant, its points marked with their steps.
    Variants of one number of steps each, which differ in numbers alone, are one curve, marked with the first of these."""
    import matplotlib  # pyright: ignore[reportMissingImports] - an extra
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports] - an extra
    from matplotlib.ticker import LogLocator, NullFormatter  # pyright: ignore[reportMissingImports] - an extra

    figure = Figure((6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    curves: dict[str, list[tuple[float, float, Key]]] = {}
    for key, mean in means.items():
        steps = {other[2] for other in means if (other[1], other[3]) == (key[1], key[3])}
        variant = key[3] if len(steps) > 1 else NUMBER.sub("*", key[3])
        name = ", ".join(part for part in (task if key[1] == "irflow" else key[1], variant) if part)
        if _there(mean, across) and _there(mean, up):
            curves.setdefault(name, []).append((getattr(mean, across), getattr(mean, up), key))
    for name, points in curves.items():
        plain = name.replace("$", r"\$").lstrip("_")  # which mean something to matplotlib
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], marker="o", label=plain)
        for x, y, key in points:
            number = NUMBER.search(key[3])
            mark = number[0] if number and len({key[2] for _, _, key in points}) < 2 else str(key[2] or "")
            axes.annotate(mark, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=9)
    for name, axis in ((across, axes.xaxis), (up, axes.yaxis)):
        axis.set_label_text(METRICS[name].title + ("" if METRICS[name].higher else " (less is better)"))
    if not METRICS[up].higher:
        axes.invert_yaxis()
    reach = [x for points in curves.values() for x, _, _ in points]
    if across == "seconds_per_mp" and reach and max(reach) > 5 * min(reach) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "irflow"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
