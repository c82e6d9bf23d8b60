"""What is left outside training: the gain over the input for degradations that no checkpoint has seen.

    python benchmarks/outside.py plain photos/ runs/plain-derain --task derain --minutes 60
    python benchmarks/outside.py table kodak24/ --task derain --plain runs/plain-derain/best.safetensors

`plain` trains a baseline as restoration networks usually are: every crop stands at the start of its path, so it knows no level
in between and is sampled in one step, and nothing asks for consistency. Give it the minutes, pictures, size and start that the
checkpoint had which it is to be compared with; all else is the same. `table` prints the gains of irflow and of the baseline
side by side: IR-Flow (arXiv 2604.19680) claims that levels help there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from suite import failures

from irflow_cli.bench.metrics import METRICS
from irflow_cli.bench.records import Record, gains, markdown, show
from irflow_cli.bench.request import BenchRequest, Sweep
from irflow_cli.bench.run import bench, prepare
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import IrflowError
from irflow_cli.tasks import TASKS
from irflow_cli.training.loop import train
from irflow_cli.training.options import TrainRequest

SHOWN = ("psnr", "ssimulacra2", "flip", "st_lpips")


def gain_table(records: list[Record]) -> list[list[str]]:
    """Return the gains over the input as text: a row for every degradation and method, a column for every metric there is."""
    won = gains(records)
    columns = [name for name in SHOWN if any(getattr(scores, name) == getattr(scores, name) for scores in won.values())]
    cells = [["unseen degradation", "method", *(f"{METRICS[name].title}, gain" for name in columns)]]
    for (degrade, method, steps, _), scores in won.items():
        called = f"{method}, {steps} step{'s' if steps > 1 else ''}"
        signed = [(1 if METRICS[name].higher else -1) * getattr(scores, name) for name in columns]
        figures = [
            f"{'+' if value > 0 else ''}{show(value, METRICS[name].digits)}"
            for name, value in zip(columns, signed, strict=True)
        ]
        cells.append([degrade, called, *figures])
    return cells


def measured(given: argparse.Namespace) -> list[Record]:
    """Return the records of irflow and, where one is given, of the plain baseline, in one step, on all that is unseen."""
    steps = given.steps or TASKS[given.task].steps
    settings = RestoreSettings(given.task, steps, checkpoint=given.checkpoint)
    request = BenchRequest(given.data, settings, Sweep((steps,)), "unseen", crop=given.crop)
    records = list(bench(prepare(request)))
    if given.plain:
        plain = RestoreSettings(given.task, 1, checkpoint=str(given.plain))
        again = bench(prepare(BenchRequest(given.data, plain, Sweep((1,)), "unseen", crop=given.crop)))
        records += [Record(**{**vars(record), "method": "plain"}) for record in again if record.method != "input"]
    return records


def main(arguments: list[str] | None = None) -> int:
    """Train the baseline or print the table. Returns the exit code: 1 when a picture failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = parser.add_subparsers(dest="way", required=True)
    plain, table = ways.add_parser("plain"), ways.add_parser("table")
    for way in (plain, table):
        way.add_argument("data", type=Path)
        way.add_argument("--task", required=True, choices=[name for name, entry in TASKS.items() if entry.checkpoint])
    plain.add_argument("out", type=Path)
    plain.add_argument("--minutes", type=float, required=True)
    plain.add_argument("--size")
    plain.add_argument("--init")
    plain.add_argument("--batch", type=int, default=16)
    plain.add_argument("--crop", type=int, default=128)
    table.add_argument("--plain", type=Path, help="the baseline's checkpoint")
    table.add_argument("--checkpoint", help="instead of the one that ships")
    table.add_argument("--steps", type=int, help="irflow's; the task's usual number without it")
    table.add_argument("--crop", type=int)
    given = parser.parse_args(arguments)
    try:
        if given.way == "plain":
            options = {name: getattr(given, name) for name in ("minutes", "size", "init", "batch", "crop")}
            print(train(TrainRequest(given.data, given.out, given.task, at_start=1.0, consistency=0.0, **options)).checkpoint)
            return 0
        records = measured(given)
    except IrflowError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    failed = failures(records)
    print("\n".join(markdown(gain_table(records))))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
