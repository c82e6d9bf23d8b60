"""Speed and memory: the network alone, the whole command over sizes, batches and folders, beside the machine's own peak."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from irflow_cli.batch.plan import Files, plan
from irflow_cli.batch.run import Batched, Operation, work_through
from irflow_cli.bench.sets import MADE
from irflow_cli.engines.fields import velocity_of
from irflow_cli.engines.prior import Prior
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings, SamplerSettings
from irflow_cli.errors import DeviceError, UsageError
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture
from irflow_cli.runtime.device import autocast

Shapes = tuple[tuple[int, int], ...]

REPEATS = 5
TILES = (256, 512, 1024)  # sides of the pictures that the network alone is timed on
CONVOLUTIONS = ((32, 256), (64, 256), (64, 512), (128, 128))  # (channels, side) of those that the peak is looked for with
SCRATCH = "20,30,600,12"  # what is filled, in pixels: x, y, width, height, as far as the picture reaches
SMALL, AGAIN = 2.0, 3  # whole commands on pictures up to so many megapixels are run so many times, larger ones once
FACTS = f"{REPEATS} repetitions after a warm-up; whole commands in fresh processes, {AGAIN} times up to {SMALL:g} MP, else once"


@dataclass(frozen=True)
class Fact:
    """A measurement of speed or memory: its median, the lowest and highest of its repetitions, and its unit."""

    name: str
    median: float
    low: float
    high: float
    unit: str

    def cells(self) -> list[str]:
        """Return the row of a table."""
        low, high = (f"{value:.3g}" for value in (self.low, self.high))
        return [self.name, f"{self.median:.4g}", "-" if self.low == self.high else f"{low} to {high}", self.unit]


def timed(work: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Return the seconds of `repeats` calls after one to warm up; the work of CUDA devices is waited for."""
    work()
    seconds = []
    for _ in range(repeats):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return seconds


def _fact(name: str, values: list[float], unit: str) -> Fact:
    return Fact(name, float(np.median(values)), min(values), max(values), unit)


class Subject(NamedTuple):
    """What is timed: an engine, or what calls it, with a picture (B, 3, H, W) and times (B,); the network it computes, in which
    operations are counted; and where it runs, in which arithmetic."""

    call: Callable[[Tensor, Tensor], Tensor]
    net: Callable[[Tensor, Tensor], Tensor]
    device: torch.device
    dtype: torch.dtype


def measure_speed(
    settings: RestoreSettings, sizes: tuple[float, ...], tell: Callable[[str], None] = lambda note: None
) -> Iterator[Fact]:
    """Yield the speed and memory of a task's checkpoint. sizes: megapixels of the pictures of the whole command.

    A picture's time and memory are those of a fresh process, after one that only warms the disk's cache. `tell` gets what the
    engine has to tell the user. Raises UsageError for sizes that no picture has.
    """
    if not all(0 < size <= 1000 for size in sizes):
        raise UsageError(f"`speed` is a list of megapixels above 0 and up to 1000, got {', '.join(f'{v:g}' for v in sizes)}")
    restorer = None
    if settings.task in MADE:
        sampling = SamplerSettings(
            device=settings.device, engine=settings.engine, precision=settings.precision, checkpoint=settings.checkpoint
        )
        prior = Prior(sampling, "pixels" if settings.task == "inpaint" else "means")
        engine = prior.engine
        subject = Subject(velocity_of(engine), prior.net, prior.device, engine.dtype)
    else:
        restorer = Restorer(settings)
        engine, settings = restorer.engine, replace(settings, steps=restorer.steps)
        subject = Subject(engine, restorer.net, restorer.device, engine.dtype)
    for note in engine.remarks():
        tell(note)
    yield _fact("threads", [float(torch.get_num_threads())], f"of {subject.device}, by {engine.name} {engine.precision}")
    yield from network_facts(subject, TILES)
    yield from batch_facts(subject)
    yield from size_facts(settings, sizes)
    yield from folder_facts(restorer) if restorer else ()


@torch.inference_mode()
def convolution_peak(
    device: torch.device, dtype: torch.dtype, shapes: tuple[tuple[int, int], ...] = CONVOLUTIONS
) -> list[float]:
    """Return the GFLOP/s of the fastest 3 x 3 convolution of `shapes`, one value a repetition: the roof of this machine."""
    best = [0.0]
    for channels, side in shapes:
        layer = torch.nn.Conv2d(channels, channels, 3, padding=1, device=device)
        layer = layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        features = torch.rand(1, channels, side, side, device=device).contiguous(memory_format=torch.channels_last)
        with autocast(device, dtype):
            seconds = timed(lambda layer=layer, features=features: layer(features))
        speeds = [2 * 9 * channels**2 * side**2 / 1e9 / value for value in seconds]
        best = max(best, speeds, key=lambda values: float(np.median(values)))
    return best


@torch.inference_mode()
def network_facts(subject: Subject, tiles: tuple[int, ...]) -> Iterator[Fact]:
    """Yield the cost and the speed of one call of the network on pictures of each side, and its share of the roof."""
    roof = _fact("fastest 3 x 3 convolution", convolution_peak(subject.device, subject.dtype), "GFLOP/s")
    yield roof
    for side in tiles:
        picture, call = _call(subject, 1, side)
        inputs = torch.rand(1, 3, side, side, device=subject.device), torch.zeros(1, device=subject.device)
        with FlopCounterMode(display=False) as counter:
            subject.net(*inputs)
        work = counter.get_total_flops() / 1e9
        seconds = timed(call)
        where = f"network, {side} x {side}"
        yield _fact(where, [work / picture], "GFLOP/MP")
        yield _fact(where, [value / picture for value in seconds], "s/MP")
        speed = _fact(where, [work / value for value in seconds], "GFLOP/s")
        yield speed
        yield _fact(where, [speed.median / roof.median], "of the fastest convolution")


def _call(subject: Subject, count: int, side: int) -> tuple[float, Callable[[], object]]:
    """Return the megapixels of `count` pictures and a call of the network on them."""
    picture = torch.rand(count, 3, side, side, device=subject.device).contiguous(memory_format=torch.channels_last)
    times = torch.zeros(count, device=subject.device)

    @torch.inference_mode()
    def call() -> object:
        return subject.call(picture, times)

    return count * side**2 / 1e6, call


def batch_facts(subject: Subject, side: int = 128, counts: tuple[int, ...] = (1, 4, 16)) -> Iterator[Fact]:
    """Yield the throughput of the network on batches of small pictures."""
    for count in counts:
        megapixels, call = _call(subject, count, side)
        yield _fact(f"network, batch of {count} x {side} x {side}", [megapixels / value for value in timed(call)], "MP/s")


PROBE = """
import sys, time
from pathlib import Path
import torch

def memory(entry):  # of this program alone, where Linux says; irflow's own function would load what is to be measured
    status = Path("/proc/self/status")
    return int(status.read_text().split(f"{entry}:")[1].split()[0]) / 2**10 if status.exists() else float("nan")

torch.set_num_threads(int(sys.argv[1]))
torch.nn.functional.conv2d(torch.rand(1, 4, 8, 8), torch.rand(4, 4, 3, 3))
bare, began = memory("VmHWM"), time.perf_counter()
from irflow_cli.cli.app import run
code = run(sys.argv[2:])
print(code, time.perf_counter() - began, memory("VmHWM") - bare)
"""


def size_facts(settings: RestoreSettings, sizes: tuple[float, ...]) -> Iterator[Fact]:
    """Yield time and memory of the task's command on JPEG files of these megapixels, each in a process of its own, without the
    start of Python and torch, and the slope of time over size."""
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        whole_command(settings, _drawn(Path(name, "warm.jpg"), 64, 64), Path(name, "warm.out.jpg"))
        for size in sizes:
            height = round((size * 1e6 * 3 / 4) ** 0.5)
            source = _drawn(Path(name, f"{size:g}.jpg"), height, round(size * 1e6 / height))
            runs = [
                whole_command(settings, source, Path(name, f"{size:g}.out.jpg")) for _ in range(AGAIN if size <= SMALL else 1)
            ]
            took, peaks = zip(*runs, strict=True)
            seconds.append(float(np.median(took)))
            steps = f" in {settings.steps} step{'s' * (settings.steps > 1)}" if settings.steps else ""
            where = f"{command_of(settings.task)}{steps}, {size:g} MP JPEG"
            yield _fact(where, list(took), "s")
            yield _fact(where, [one / size for one in took], "s/MP")
            yield _fact(where, list(peaks), "MiB above torch")
    if len(sizes) > 1:
        slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        yield _fact("time over size, exponent", [float(slope)], "1 is proportional")


def command_of(task: str) -> str:
    """Return the command that does a task."""
    return task if task in MADE else "restore"


def whole_command(settings: RestoreSettings, source: Path, target: Path) -> tuple[float, float]:
    """Return (seconds after torch's start-up, peak MiB above the bare interpreter with torch) of the task's command: `irflow
    restore`, `irflow inpaint` of the scratch SCRATCH, or `irflow upscale`. Raises DeviceError when the command fails."""
    options = [command_of(settings.task), str(source), "-o", str(target), "-q", "--overwrite"]
    chosen: dict[str, object] = {"--checkpoint": settings.checkpoint, "--device": settings.device}
    chosen |= {"--engine": settings.engine, "--precision": settings.precision}
    if settings.task == "inpaint":
        chosen |= {"--mask-box": SCRATCH}
    elif settings.task not in MADE:
        chosen |= {"--task": settings.task, "--steps": settings.steps, "--sigma": settings.sigma}
    options += [str(part) for option, value in chosen.items() if value is not None for part in (option, value)]
    return measured_command(options)


def measured_command(options: list[str]) -> tuple[float, float]:
    """Return (seconds after torch's start-up, peak MiB above the bare interpreter with torch) of `irflow` with these options;
    files of defaults are not read.

    Raises DeviceError when the command fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(torch.get_num_threads()), "--no-config", *options],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},  # as it is used
    )
    code, seconds, peak = (done.stdout.split() or ["1", "0", "0"])[-3:]
    if code != "0":
        raise DeviceError(f"`irflow {' '.join(options)}` failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return float(seconds), float(peak)


def folder_facts(restorer: Restorer, count: int = 8, side: int = 384, repeats: int = REPEATS) -> Iterator[Fact]:
    """Yield the throughput of a folder of small PNG files, read, restored and written, and how many times the restoring
    alone takes that time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "in")
        folder.mkdir()
        for index in range(count):
            _drawn(folder / f"{index}.png", side, side)

        def work() -> None:
            files = Files((str(folder),), Path(name, "out"), overwrite=True)
            batched = Batched(restorer.batch_size, restorer.restore_batch)
            operation = Operation(lambda job, *rest: restorer.restore(*rest), "speed", batched)
            outcomes = work_through(plan(files), operation, files)
            wrong = [outcome.error for outcome in outcomes if outcome.error]
            if wrong:
                raise DeviceError(str(wrong[0]))

        tile, generator = torch.rand(1, 3, side, side), torch.Generator()

        def alone() -> list[float]:
            return timed(lambda: restorer.restore_tensor(tile, [None], [generator]))

        network, seconds = [alone()], []
        for _ in range(repeats):  # in turn, for a machine may get slower meanwhile
            seconds.append(timed(work, 1)[0])
            network.append(alone())
        beside = [count * float(np.median(before + after)) for before, after in itertools.pairwise(network)]
        megapixels, where = count * side**2 / 1e6, f"folder of {count} PNG files of {side} x {side}"
        yield _fact(where, [megapixels / value for value in seconds], "MP/s")
        yield _fact(where, [one / other for one, other in zip(seconds, beside, strict=True)], "of the network's time")


def _drawn(path: Path, height: int, width: int) -> Path:
    """Write a picture of waves and return its path."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / 97
    picture = (np.stack([np.sin(rows), np.sin(columns), np.sin(rows + columns)], -1) * 90 + 128).astype(np.uint8)
    kind = "JPEG" if path.suffix == ".jpg" else "PNG"
    path.write_bytes(encode_picture(Picture(picture, None, kind), kind)[0])
    return path
