"""How fast the engines compute a network, and what a command's start costs: rows of the table that `speed.py` writes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from irflow_cli.bench.speed import timed
from irflow_cli.engines.backends import Engine, open_engine
from irflow_cli.engines.backends.table import BACKENDS
from irflow_cli.engines.tiling import TILES
from irflow_cli.runtime.checkpoints import load_checkpoint

TIMED = ("denoise", "derain")  # checkpoints whose network the engines compute
# Engines and precisions that are compared; torch in float32, the first, is the measure.
ENGINES = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("onnxruntime", "fp32"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
)
MEASURE = " ".join(ENGINES[0])
PLAIN = f"{MEASURE} as it comes, its memory given back after every layer"
STARTED = (("torch", "bf16"), ("openvino", "bf16"))  # engines by which a small picture is restored
LOADED = ("torch", "openvino")  # whose import is a part of that
OURS = "import irflow_cli.cli.restore, irflow_cli.services.restore_files"


class Speed(NamedTuple):
    """What was measured of an engine: seconds a megapixel of one call, and how many times as fast as torch in float32 that is:
    as irflow runs it, and as it comes."""

    name: str
    seconds: float
    ratio: float
    plain: float


def there(choices: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Return those engines and precisions that work on this machine."""
    return [(engine, precision) for engine, precision in choices if BACKENDS[engine].refusal(precision) is None]


def one_call(engine: Engine, side: int) -> float:
    """Return the seconds of one call on a picture, after one to warm up."""
    picture = torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        return timed(lambda: engine(picture, torch.zeros(1)), 1)[0]


@cache
def _opened(name: str, threads: int) -> Engine:
    torch.set_num_threads(threads)
    return open_engine(load_checkpoint(name), torch.device("cpu"), *ENGINES[0])


def plain_call(name: str, side: int, threads: int) -> float:
    """Return what `one_call` does of torch in float32. In a process of its own, where nobody has called `keep_freed`, that is
    torch as it comes."""
    return one_call(_opened(name, threads), side)


def engines(name: str, side: int = TILES["cpu"], rounds: int = 9) -> Iterator[Speed]:
    """Yield how fast the engines that work here compute a checkpoint's network.

    All take turns, so that a machine that gets slower meanwhile is slower for all; each round is compared within itself.
    """
    checkpoint, device = load_checkpoint(name), torch.device("cpu")
    opened = {" ".join(choice): open_engine(checkpoint, device, *choice) for choice in there(ENGINES)}
    seconds: dict[str, list[float]] = {MEASURE: [], PLAIN: [], **{key: [] for key in opened}}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        for _ in range(rounds):
            for key, engine in opened.items():
                seconds[key].append(one_call(engine, side))
            seconds[PLAIN].append(alone.submit(plain_call, name, side, torch.get_num_threads()).result())
    for key, taken in seconds.items():
        ratio, plain = (float(np.median(np.divide(seconds[measure], taken))) for measure in (MEASURE, PLAIN))
        yield Speed(key, float(np.median(taken)) / (side**2 / 1e6), ratio, plain)


def engine_rows() -> Iterator[str]:
    """Yield the rows of the engines, network by network."""
    for name in TIMED:
        for one in engines(name):
            fast = f"{one.ratio:.1f} times as fast as torch fp32, {one.plain:.1f} as torch fp32 as it comes"
            yield f"| one call of `{name}` by {one.name} | {one.seconds:.2f} s/MP, {fast} |"


def cpu_seconds(command: list[str], repeats: int = 5) -> float:
    """Return the median of the CPU seconds, the system's included, of a command on one thread, after a call to warm up. Raises
    CalledProcessError where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = []
    for _ in range(1 + repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, env={**environment, "OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return float(np.median(found[1:]))


def start_rows(picture: Path) -> Iterator[str]:
    """Yield the rows of what restoring a small picture takes from the shell to the result, its files in the system's cache, and
    of the parts of that."""
    unit, parts = "CPU seconds on one thread", {}
    result = picture.with_name(f"{picture.stem}.restored{picture.suffix}")
    for engine, precision in there(STARTED):
        options = ["--task", "derain", "--steps", "1", "--device", "cpu", "--engine", engine, "--precision", precision]
        command = [sys.executable, "-m", "irflow_cli", "restore", str(picture), "-o", str(result), "--overwrite", *options]
        parts[engine, precision] = cpu_seconds(command)
        taken = f"{parts[engine, precision]:.1f} {unit}"
        yield f"| start: `restore` of {picture.stem}, one step, by {engine} {precision} | {taken} |"
    bare = cpu_seconds([sys.executable, "-c", "import numpy, cv2"])
    yield f"| start: in it, Python with NumPy and OpenCV | {bare:.1f} {unit} |"
    imported = {}
    for module in LOADED:
        if BACKENDS[module].missing("fp32") is None:
            imported[module] = cpu_seconds([sys.executable, "-c", f"import numpy, cv2, {module}"]) - bare
            yield f"| start: in it, `import {module}` | {imported[module]:.1f} {unit} |"
    ours = cpu_seconds([sys.executable, "-c", f"import numpy, cv2, torch; {OURS}"]) - imported["torch"] - bare
    yield f"| start: in it, irflow's own modules | {ours:.1f} {unit} |"
    for (engine, precision), whole in parts.items():
        more = whole - bare - ours - sum(imported[module] for module in {"torch", engine})
        yield f"| start: in it, the network read, prepared and called, and files, by {engine} {precision} | {more:.1f} {unit} |"
