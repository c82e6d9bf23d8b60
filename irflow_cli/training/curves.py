"""The curves of a training run, as a picture. They need matplotlib."""

from __future__ import annotations

import io
import json
from pathlib import Path

from irflow_cli import extras
from irflow_cli.errors import UsageError, require
from irflow_cli.regular import open_regular, read_regular
from irflow_cli.runtime.files import write_atomically
from irflow_cli.training.record import LOG

CURVES, DRAWN_BY = "curves.png", "irflow train"
MOST = 2**28  # bytes of a log
NUMBERS = (int, float, type(None))
WHERE = "give the folder that irflow train wrote to"
NAMES = {"iteration", "loss", "psnr", "rate"}  # of what its lines have to tell


def draw_curves(run: Path) -> Path:
    """Draw loss, held-out PSNR and pictures a second over the iterations of a run's log, and return the picture's path. A last
    line that was cut off is passed over.

    Raises UsageError for a folder without a log, for a picture of that name that is not such a drawing, and without matplotlib.
    """
    try:
        told = read_regular(run / LOG, MOST).decode(errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"{run} holds no log of a run ({error.strerror or error}); {WHERE}") from None
    lines = []
    for number, line in enumerate(told, 1):
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict) or any(not isinstance(entry.get(name, ""), NUMBERS) for name in NAMES):
                raise ValueError("of another kind")
            lines.append(entry)
        except (ValueError, RecursionError) as error:
            if number < len(told) or number == 1:
                raise UsageError(f"{run} holds no log of a run (line {number}: {error}); {WHERE}") from None
    if not lines:
        raise UsageError(f"the log in {run} is empty yet; wait for the run's first report")
    path = run / CURVES
    require(_is_ours(path), f"{path} is not a drawing of irflow's; move it, for the curves go there")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(f"curves need matplotlib; {extras.hint('bench')}") from None
    figure = Figure(figsize=(7, 8), layout="constrained")
    rows = figure.subplots(3, 1, sharex=True)
    names = (("loss", "loss"), ("psnr", "held-out PSNR, dB"), ("rate", "pictures a second"))
    for axes, (name, label) in zip(rows, names, strict=True):
        points = [(line["iteration"], line[name]) for line in lines if line[name] is not None]
        axes.plot([x for x, _ in points], [y for _, y in points], marker="." if len(points) < 40 else None)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    rows[-1].set_xlabel("iteration")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120, metadata={"Software": DRAWN_BY})
    write_atomically(path, data.getvalue(), overwrite=True)
    return path


def _is_ours(path: Path) -> bool:
    """Return whether nothing is there, or curves that were drawn before."""
    try:
        with open_regular(path) as file:
            return DRAWN_BY.encode() in file.read(256)
    except FileNotFoundError:
        return True
