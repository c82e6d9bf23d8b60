"""Two recipes, trained at once for the same minutes, from the same start, on the same pictures: which one is better?

    python benchmarks/fair.py train levels photos/ runs/levels --minutes 12 --rain-layers layers/
    python benchmarks/fair.py measure levels runs/levels mcmaster/
    python benchmarks/fair.py train levels-noise photos/ runs/levels-noise --minutes 12     # and levels-drops
    python benchmarks/fair.py train times photos/ runs/times --minutes 10 --init prior
    python benchmarks/fair.py measure times runs/times kodak24-four/

`levels` asks what IR-Flow (arXiv 2604.19680) claims: does a flow help outside training? Beside irflow's recipe stands that of
most restoration networks: every crop at the start of its path, so that no level in between is known, and one step. `times` asks
what the sampler of Restora-Flow (arXiv 2511.20152) makes of a prior that was trained its authors' way, all pixels at one time,
and of irflow's, which sees that in two of ten draws.

`train` trains both, each on half of the processor's threads. `measure` keeps a line a picture below benchmarks/results/, and
writes the table to docs/fair.md; `fill` only writes it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import markers
import torch
from suite import STORE, computed

from irflow_cli.bench.methods import Method, our_methods, prior_methods
from irflow_cli.bench.metrics import METRICS
from irflow_cli.bench.records import (
    Record,
    failures,
    gains,
    markdown,
    read_environment,
    read_records,
    show,
    table,
    write_records,
)
from irflow_cli.bench.request import BenchRequest, Sweep
from irflow_cli.bench.run import bench, prepare
from irflow_cli.errors import IrflowError, NothingToDo
from irflow_cli.runtime.checkpoints import read_card
from irflow_cli.runtime.files import write_atomically
from irflow_cli.training.loop import train
from irflow_cli.training.options import STATE, TrainRequest
from irflow_cli.training.record import BEST

PAGE = Path("docs", "fair.md")
GAINS = ("psnr", "ssimulacra2", "flip", "st_lpips")
SHOWN = ["psnr", "ssim", "vif", "ssimulacra2", "flip", "st_lpips", "nfe"]


@dataclass(frozen=True)
class Recipe:
    """What one of two runs does that the other does not, and how its network is sampled: numbers of steps, or presets."""

    options: dict
    points: tuple


@dataclass(frozen=True)
class Pair:
    """A question: two recipes by name, the options that both have, and on what they are measured."""

    task: str
    recipes: dict[str, Recipe]
    shared: dict
    measured: str
    degrade: str
    crop: int
    gained: bool  # whether the table has what was gained over the input

    def request(self, data: Path, checkpoint: Path) -> BenchRequest:
        """Return what is to be measured on a folder of clean pictures; the methods are put in later."""
        settings = computed(self.measured, str(checkpoint))
        return BenchRequest(data, settings, degrade=self.degrade, crop=self.crop)


PAPERS = ("paper", "restora:16:1", "pixelwise:8")
SMALL = {"size": "small", "distance": "log-mse", "consistency": 0.0, "decay": 0.6, "warmup": 100}
PLAIN = Recipe({"at_start": 1.0}, (1,))
OWN_WAY = Recipe({"at_start": 0.7, "self_conditioned": True}, (1, 4))


def levels(task: str, flow: Recipe, inside: str, **options) -> Pair:
    """Return the question whether a flow helps a task outside training; inside: degradations of the training itself."""
    recipes = {"flow": flow, "plain": PLAIN}
    return Pair(task, recipes, SMALL | options, task, f"{inside},unseen", 256, gained=True)


PAIRS = {
    "levels": levels("derain", OWN_WAY, "rain:0.6,rain-heavy:0.6", condition=True),
    "levels-noise": levels("denoise", Recipe({"at_start": 0.7}, (1, 4)), "noise:25,camera"),
    "levels-drops": levels("deraindrop", OWN_WAY, "raindrops:0.6", condition=True, distance="charbonnier"),
    "times": Pair(
        "prior",
        {"pixelwise": Recipe({}, PAPERS), "uniform": Recipe({"known": 0.0}, PAPERS)},
        {"distance": "log-mse", "rate": 5e-4, "decay": 0.8, "warmup": 50},
        "inpaint",
        "thick,pixels:0.8",
        128,
        gained=False,
    ),
}


def trained(request: TrainRequest, threads: int) -> str:
    """Train in a process of its own; return the checkpoint's path."""
    torch.set_num_threads(threads)
    return str(train(request).checkpoint)


def train_both(pair: Pair, given: argparse.Namespace) -> list[str]:
    """Train the two recipes of a pair at once, and return their checkpoints. Raises as `train` does."""
    names = ("minutes", "init", "rain_layers", "batch", "crop", "precision", "compile", "device")
    options = pair.shared | {name: getattr(given, name) for name in names}
    requests = [
        TrainRequest(given.data, given.runs / name, pair.task, validate_every=250, **(options | recipe.options))
        for name, recipe in pair.recipes.items()
    ]
    threads = max(1, torch.get_num_threads() // len(requests))
    with ProcessPoolExecutor(len(requests), multiprocessing.get_context("spawn")) as pool:
        return [run.result() for run in [pool.submit(trained, request, threads) for request in requests]]


def spent(run: Path) -> str:
    """Return how long a run was and what it saw."""
    facts = read_card(run / STATE).trained
    crops = facts["iterations"] * facts["recipe"]["batch"]
    return f"{facts['minutes']:.1f} minutes, {facts['iterations']:,} iterations, {crops:,} crops"


def measured(key: str, runs: Path, data: Path) -> list[Record]:
    """Measure both networks of a pair, and keep the records. Raises NothingToDo for a run that has no network yet."""
    pair, methods = PAIRS[key], list[Method]()
    if lacking := [name for name in pair.recipes if not (runs / name / BEST).is_file()]:
        raise NothingToDo(f"{runs / lacking[0]} has no {BEST}; train first")
    request, store = pair.request(data, runs / next(iter(pair.recipes)) / BEST), STORE / f"fair-{key}.jsonl"
    run = prepare(request)
    for name, recipe in pair.recipes.items():
        settings = replace(request.settings, checkpoint=str(runs / name / BEST))
        if pair.measured == pair.task:
            methods += our_methods(settings, Sweep(recipe.points), name)
        else:
            methods += prior_methods(settings, recipe.points, run.corruptions, name)
    store.parent.mkdir(parents=True, exist_ok=True)
    records = list(bench(replace(run, request=replace(request, store=store), methods=tuple(methods))))
    facts = {"folder": data.resolve().name, **{name: spent(runs / name) for name in pair.recipes}}
    write_records(store, records, {**read_environment(store), **facts})
    return records


def gain_table(records: list[Record]) -> list[list[str]]:
    """Return the gains over the input as text, more being better: a row for every degradation and method, a column for every
    metric there is."""
    won = gains(records)
    columns = [name for name in GAINS if any(getattr(scores, name) == getattr(scores, name) for scores in won.values())]
    cells = [["degradation", "method", *(f"{METRICS[name].title}, gain" for name in columns)]]
    for (degrade, method, steps, _), scores in won.items():
        signed = [(1 if METRICS[name].higher else -1) * getattr(scores, name) for name in columns]
        figures = [
            f"{'+' if value > 0 else ''}{show(value, METRICS[name].digits)}"
            for name, value in zip(columns, signed, strict=True)
        ]
        cells.append([degrade, f"{method}, {steps} step{'s' if steps > 1 else ''}", *figures])
    return cells


def rendered(key: str, records: list[Record], facts: dict[str, str]) -> str:
    """Return what stands on the page: the table, what both runs had, and when and on what it was measured."""
    pair, count = PAIRS[key], len({record.picture for record in records})
    title = f"{facts['folder']}, the middle {pair.crop} x {pair.crop}"
    columns = [
        name for name in SHOWN if any(getattr(record.scores, name) == getattr(record.scores, name) for record in records)
    ]
    cells = gain_table(records) if pair.gained else table(records, title, columns)
    lines = [*markdown(cells), ""]
    lines += [f"`{name}`: {facts[name]}.  " for name in pair.recipes]
    return "\n".join([*lines, f"Measured on {title}, {count} pictures, {facts['date']}."])


def stored(root: Path, key: str) -> str | None:
    """Return what should stand on the page of a pair, None where nothing is stored."""
    path = root / STORE / f"fair-{key}.jsonl"
    return rendered(key, read_records(path), read_environment(path)) if path.is_file() else None


def fill(root: Path) -> None:
    """Write what is stored between the markers of the page."""
    page = (root / PAGE).read_text(encoding="utf-8")
    page = markers.filled(page, "fair", lambda key: stored(root, key) or None)
    write_atomically(root / PAGE, page.encode(), overwrite=True)


def page_problems(root: Path) -> list[str]:
    """Return in what the page is not what the stored results say, a line each."""
    there = markers.tables((root / PAGE).read_text(encoding="utf-8"), "fair")
    return [
        f"{PAGE.name}'s table {key} is not what is stored; run `python benchmarks/fair.py fill`"
        for key in PAIRS
        if there.get(key) != (stored(root, key) or "")
    ]


def main(arguments: list[str] | None = None) -> int:
    """Train, measure or write. Returns the exit code: 1 when a picture failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = parser.add_subparsers(dest="way", required=True)
    training, measuring, _ = (ways.add_parser(name) for name in ("train", "measure", "fill"))
    training.add_argument("pair", choices=PAIRS)
    training.add_argument("data", type=Path, help="folder of clean pictures")
    training.add_argument("runs", type=Path, help="folder for the two runs")
    training.add_argument("--minutes", type=float, required=True)
    training.add_argument("--init", help="the start of both; fresh weights without it")
    training.add_argument("--rain-layers", type=Path)
    training.add_argument("--batch", type=int, default=8)
    training.add_argument("--crop", type=int, default=96)
    training.add_argument("--precision", default="auto")
    training.add_argument("--compile", action="store_true")
    training.add_argument("--device", default="auto")
    measuring.add_argument("pair", choices=PAIRS)
    measuring.add_argument("runs", type=Path)
    measuring.add_argument("data", type=Path, help="folder of other clean pictures")
    given = parser.parse_args(arguments)
    failed: list[str] = []
    try:
        if given.way == "train":
            print("\n".join(train_both(PAIRS[given.pair], given)))
            return 0
        if given.way == "measure":
            failed = failures(measured(given.pair, given.runs, given.data))
    except IrflowError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for line in failed:
        print(line, file=sys.stderr)
    fill(Path.cwd())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
