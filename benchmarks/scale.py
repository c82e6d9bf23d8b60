"""What thousands to millions of photographs cost: core-hours, GPU-hours, requests to a store, money, and the bottleneck.

    python benchmarks/scale.py                     # prints the tables
    python benchmarks/scale.py --measure --fill    # measures this machine, keeps that, and writes the tables to docs/scale.md

A worker is simulated as `batch.run` works: one thread fetches and decodes the next picture, one computes, one encodes and puts
the last. What is measured stands in benchmarks/results/scale.json; prices and the store are assumptions, and options.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import NamedTuple

import markers

ROOT = Path(__file__).parent.parent
PAGE, STORE = ROOT / "docs" / "scale.md", ROOT / "benchmarks" / "results" / "scale.json"
PHOTOGRAPH = ROOT / "docs" / "pictures" / "rainy.png"  # what is coded and restored to measure
SIZES = (10**3, 10**5, 10**6, 10**7)
LISTED = 1000  # names that one request for a list brings
SAMPLE = 400  # pictures that a worker is simulated for
SHARED = (1, 2, 4, 8)  # processes that share a GPU
MEGA = 1e6


@dataclass(frozen=True)
class Measured:
    """Seconds of one core (decode, network, encode) and megabytes of a JPEG for a megapixel; seconds of a core to start a
    worker; where and when."""

    decode: float
    network: float
    encode: float
    megabytes: float
    start: float
    engine: str
    processor: str
    date: str


@dataclass(frozen=True)
class Assumed:
    """What is not measured here. gpu: seconds of a GPU a megapixel; 0.016 is what a training step of the noise network takes an
    H100 for one, forward and backward (docs/training.md), so that restoring takes no more.

    spread: of the time from picture to picture, as a share. latency, rate: seconds before the first byte of a request, and
    megabytes a second of one worker. gets, puts: requests a second that one prefix of a store answers. The others are dollars,
    those of requests for a thousand; data that stay in the store's region cost nothing to move.
    """

    megapixels: float = 24.0
    hours: float = 24.0
    gpu: float = 0.016
    cores_per_gpu: int = 8
    per_gpu: int = 4
    spread: float = 0.3
    latency: float = 0.05
    rate: float = 80.0
    gets: float = 5500.0
    puts: float = 3500.0
    core_hour: float = 0.045
    gpu_hour: float = 4.0
    get: float = 0.0004
    put: float = 0.005
    gigabyte_month: float = 0.023


class Stages(NamedTuple):
    """Seconds that a picture takes: to wait for the store, to decode, to compute, to encode, to wait again."""

    fetch: float
    decode: float
    network: float
    encode: float
    put: float


@dataclass(frozen=True)
class Run:
    """What a batch takes. workers: cores, or GPUs with their cores."""

    pictures: int
    on: str
    workers: int
    hours: float
    core_hours: float
    gpu_hours: float
    requests: int
    dollars: float
    bottleneck: str


def stages_of(measured: Measured, assumed: Assumed, *, gpu: bool) -> Stages:
    """Return the seconds of each stage for one picture."""
    size = assumed.megapixels
    moved = assumed.latency + size * measured.megabytes / assumed.rate
    network = assumed.gpu if gpu else measured.network
    return Stages(moved, size * measured.decode, size * network, size * measured.encode, moved)


def pipeline(stages: Stages, spread: float, ahead: int = 1, count: int = SAMPLE, seed: int = 0) -> float:
    """Return the seconds a picture of one process whose three threads never wait for a core: reading is at most `ahead`
    pictures before the work, and the work at most `ahead` before writing."""
    draw = random.Random(seed)
    sigma = math.sqrt(math.log(1 + spread**2))
    read, done, written = [0.0], [0.0], [0.0]
    for index in range(count):
        size = draw.lognormvariate(-(sigma**2) / 2, sigma)  # large pictures are slow in every stage
        free = done[max(0, index - ahead)]  # the reader begins when the work has taken what waited
        read.append(max(read[-1], free) + size * (stages.fetch + stages.decode))
        room = written[max(0, index - ahead)]
        done.append(max(done[-1], read[-1], room) + size * stages.network)
        written.append(max(written[-1], done[-1]) + size * (stages.encode + stages.put))
    return written[-1] / count


def rate_of(stages: Stages, assumed: Assumed, *, gpu: bool, processes: int) -> tuple[float, str]:
    """Return the pictures a second of a worker, a core or a GPU with its cores, and what holds it up."""
    cores = assumed.cores_per_gpu if gpu else 1
    on_cores = stages.decode + stages.encode + (0 if gpu else stages.network)
    parts = {"decode": stages.decode, "encode": stages.encode, "network": 0 if gpu else stages.network}
    lines = {"fetch and decode": stages.fetch + stages.decode, "encode and put": stages.encode + stages.put}
    limits = {
        f"{max(parts, key=parts.__getitem__)} on the cores": cores / on_cores,
        max(lines, key=lines.__getitem__) + " of a process": processes / pipeline(stages, assumed.spread),
    }
    if gpu:
        limits["network on the GPU"] = 1 / stages.network
    slowest = min(limits, key=limits.__getitem__)
    return limits[slowest], slowest


def cost(pictures: int, measured: Measured, assumed: Assumed, *, gpu: bool) -> Run:
    """Return what a batch takes that is to end in `assumed.hours`."""
    stages = stages_of(measured, assumed, gpu=gpu)
    rate, bottleneck = rate_of(stages, assumed, gpu=gpu, processes=assumed.per_gpu if gpu else 2)
    workers = max(1, math.ceil(pictures / rate / 3600 / assumed.hours))
    total = min(workers * rate, assumed.gets, assumed.puts)
    bottleneck = bottleneck if total == workers * rate else "the object store"
    hours = (measured.start + pictures / total) / 3600
    cores = workers * (assumed.cores_per_gpu if gpu else 1)
    requests = 2 * pictures + math.ceil(pictures / LISTED)
    stored = pictures * assumed.megapixels * measured.megabytes / 1000
    dollars = (
        hours * (cores * assumed.core_hour + (workers * assumed.gpu_hour if gpu else 0))
        + (pictures * (assumed.get + assumed.put) + (requests - 2 * pictures) * assumed.put) / 1000
        + stored * assumed.gigabyte_month
    )
    on = ("GPU" if gpu else "core") + "s" * (workers > 1)
    return Run(pictures, on, workers, hours, hours * cores, hours * workers if gpu else 0.0, requests, dollars, bottleneck)


def choice(run: Run) -> str:
    """Return how so many workers are set to work."""
    if run.workers == 1:
        return "one command"
    if run.on == "cores" and run.workers <= 64:
        return "`--shard` with GNU parallel on one machine"
    return "`--shard` in a Slurm array or a Kubernetes job, or `--runner ray`"


def number(value: float) -> str:
    """Return a number as a table shows it: two or three digits that count."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def table(head: str, rows: list[list[str]]) -> str:
    """Return a Markdown table. head: its columns, with | between."""
    names = [name.strip() for name in head.split("|")]
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def costs(measured: Measured, assumed: Assumed) -> str:
    """Return the table of costs."""
    rows = []
    for pictures in SIZES:
        for run in (cost(pictures, measured, assumed, gpu=gpu) for gpu in (False, True)):
            figures = (run.hours, run.core_hours, run.gpu_hours, run.requests, run.dollars)
            rows.append([f"{pictures:,}", f"{run.workers:,} {run.on}", *map(number, figures), run.bottleneck])
    return table("photographs | on | hours | core-hours | GPU-hours | requests | dollars | held up by", rows)


def choices(measured: Measured, assumed: Assumed) -> str:
    """Return the table of what to choose: of cores and GPUs the cheaper."""
    rows = []
    for pictures in SIZES:
        both = [cost(pictures, measured, assumed, gpu=gpu) for gpu in (False, True)]
        best = min(both, key=lambda run: run.dollars)
        rows.append([f"{pictures:,}", f"{best.workers:,} {best.on}", choice(best), f"{number(best.dollars)} dollars"])
    return table("photographs | cheapest | how | costs", rows)


def sharing(measured: Measured, assumed: Assumed) -> str:
    """Return the table of processes that share a GPU: how the bottleneck moves."""
    stages, rows = stages_of(measured, assumed, gpu=True), []
    for processes in SHARED:
        rate, bottleneck = rate_of(stages, assumed, gpu=True, processes=processes)
        rows.append([str(processes), number(rate * 3600), f"{rate * stages.network:.0%}".replace("%", " %"), bottleneck])
    return table("processes on a GPU | photographs an hour | GPU busy | held up by", rows)


def limits(measured: Measured, assumed: Assumed) -> str:
    """Return sentences: from how many workers the store is too slow, and up to which price a GPU is the cheaper."""
    core, gpu = (
        rate_of(stages_of(measured, assumed, gpu=on), assumed, gpu=on, processes=assumed.per_gpu)[0] for on in (False, True)
    )
    most = min(assumed.gets, assumed.puts)
    worth = gpu * assumed.core_hour / core - assumed.cores_per_gpu * assumed.core_hour
    return (
        f"One prefix of the store answers {most:,.0f} pictures a second, of {number(most / core)} cores or "
        f"{number(most / gpu)} GPUs.\n"
        f"A GPU is cheaper than cores where its hour costs less than {worth:.2f} dollars."
    )


def basis(measured: Measured, assumed: Assumed) -> str:
    """Return the table of what the others are computed from."""
    size = assumed.megapixels
    rows = [
        ["decode", f"{measured.decode:.3f}", number(size * measured.decode)],
        [f"network, {measured.engine}", f"{measured.network:.3f}", number(size * measured.network)],
        ["encode", f"{measured.encode:.3f}", number(size * measured.encode)],
        ["network on a GPU, assumed", f"{assumed.gpu:.3f}", number(size * assumed.gpu)],
    ]
    told = f"Measured {measured.date} on one core of {measured.processor}, as processor time; a worker starts in "
    return f"{table(f'stage | seconds a megapixel | of {size:g} MP', rows)}\n\n{told}{number(measured.start)} s."


TABLES: dict[str, Callable[[Measured, Assumed], str]] = {
    "basis": basis,
    "costs": costs,
    "choices": choices,
    "sharing": sharing,
    "limits": limits,
}


def filled(page: str, measured: Measured, assumed: Assumed) -> str:
    """Return the page with the tables between its markers."""
    return markers.filled(page, "scale", lambda name: TABLES[name](measured, assumed))


def stored() -> Measured:
    """Return what was measured last."""
    return Measured(**json.loads(STORE.read_text()))


def least(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the processor time of `work`, in seconds, the least of some: other work on the machine makes it longer, never
    shorter."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def measure(megapixels: float, engine: str, precision: str) -> Measured:
    """Return what one core of this machine takes, on a JPEG of so many megapixels, a photograph beside itself many times."""
    began = time.process_time()
    import numpy as np
    import torch

    from irflow_cli.engines.restorer import Restorer
    from irflow_cli.engines.settings import RestoreSettings
    from irflow_cli.images.decode import decode_picture, read_picture
    from irflow_cli.images.encode import encode_picture
    from irflow_cli.runtime.device import processor

    torch.set_num_threads(1)
    restorer = Restorer(RestoreSettings("denoise", sigma=15.0, device="cpu", engine=engine, precision=precision))
    start = time.process_time() - began
    small = read_picture(PHOTOGRAPH)
    side = round(math.sqrt(megapixels * MEGA))
    times = [-(-side // length) for length in small.pixels.shape[:2]]
    large = small.with_pixels(np.tile(small.rgb8(), (*times, 1))[:side, :side].copy())
    real = side * side / MEGA
    data, _ = encode_picture(large, "JPEG", None)
    part = small.with_pixels(np.ascontiguousarray(small.rgb8()[:480, :480]))
    return Measured(
        decode=least(lambda: decode_picture(data, "measured")) / real,
        network=least(lambda: restorer.restore(part)) / (part.pixels.shape[0] * part.pixels.shape[1] / MEGA),
        encode=least(lambda: encode_picture(large, "JPEG", None)) / real,
        megabytes=len(data) / MEGA / real,
        start=start,
        engine=f"{restorer.engine.name} {restorer.engine.precision}",
        processor=processor(),
        date=date.today().isoformat(),
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure if asked, print the tables, and fill the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help=f"measure this machine, and keep it in {STORE.name}")
    parser.add_argument("--fill", action="store_true", help="write the tables into docs/scale.md")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--precision", default="auto")
    for field in fields(Assumed):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    given = vars(parser.parse_args(arguments))
    assumed = Assumed(**{field.name: given[field.name] for field in fields(Assumed)})
    if wrong := next((name for name, value in vars(assumed).items() if value <= 0 and name != "spread"), None):
        parser.error(f"--{wrong.replace('_', '-')} must be above 0")
    if given["measure"]:
        measured = measure(assumed.megapixels, given["engine"], given["precision"])
        STORE.write_text(json.dumps(dataclasses.asdict(measured), indent=2) + "\n")
    measured = stored()
    print("\n\n".join(make(measured, assumed) for make in TABLES.values()))
    if given["fill"]:
        if assumed != Assumed():
            parser.error("--fill is for the assumptions as they are; leave the others out")
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), measured, assumed), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
