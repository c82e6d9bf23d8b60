"""Measure what engines in lower precisions cost, in PSNR beside torch in float32, and write it into docs/engines.md.

    python benchmarks/precisions.py sets/ [--dry]

sets/: the folders of SETS, each as `irflow bench` takes it; one that is not there is left out. Every picture is worked on with
the default settings, restoration in one step, by each of ENGINES that this machine has. No result hangs on how busy it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import markers
import numpy as np
from torch import Tensor

from irflow_cli.bench.methods import Method, our_methods, prior_methods
from irflow_cli.bench.request import Sweep
from irflow_cli.bench.sets import MADE, Case, cases_of, find_samples, parse_degrade, unit
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import IrflowError
from irflow_cli.metrics import psnr, psnr_y
from irflow_cli.runtime.device import processor

PAGE = Path(__file__).parent.parent / "docs" / "engines.md"
ENGINES = (("torch", "fp32"), ("torch", "bf16"), ("openvino", "bf16"), ("openvino", "int8"))  # the first is the measure


class TestSet(NamedTuple):
    """A folder, what it is called on the page, what is done with its pictures, and by which metric they are judged. crop: side
    of the middle part of each that is taken."""

    folder: str
    title: str
    task: str
    degrade: str | None
    metric: Callable[[Tensor, Tensor], Tensor]
    crop: int | None = None


SETS = (
    TestSet("real_noise", "a camera's weak noise", "denoise", None, psnr),
    TestSet("cbsd68", "CBSD68, noise 25", "denoise", "noise:25", psnr),
    TestSet("cbsd68", "CBSD68, noise 50", "denoise", "noise:50", psnr),
    TestSet("rain100l", "Rain100L, luma", "derain", None, psnr_y),
    TestSet("rain100h", "Rain100H, luma", "derain", None, psnr_y),
    TestSet("raindrop", "drops on a pane", "deraindrop", None, psnr),
    TestSet("kodak24", "Kodak24, parts of 256 pixels, thin holes", "inpaint", "thin", psnr, 256),
    TestSet("kodak24", "the same, thick holes", "inpaint", "thick", psnr, 256),
    TestSet("kodak24", "the same, enlarged from a half", "upscale", "area:2", psnr, 256),
)


def cases(data: Path, one: TestSet) -> Iterator[Case]:
    """Yield the pictures of a set with their degraded partners."""
    corruptions = parse_degrade(one.degrade, one.task)
    for sample in find_samples(data / one.folder, paired=not one.degrade):
        yield from cases_of(sample, corruptions, one.crop)


def method(one: TestSet, engine: str, precision: str) -> Method:
    """Return irflow as it is by default, in one step where it restores, by an engine in a precision. Raises IrflowError where
    this machine has not the two."""
    settings = RestoreSettings(one.task, device="cpu", engine=engine, precision=precision)
    if one.task in MADE:
        return prior_methods(settings, ("auto",), parse_degrade(one.degrade, one.task))[0]
    return our_methods(settings, Sweep())[0]


def scores(data: Path, one: TestSet, engines: tuple[tuple[str, str], ...] = ENGINES) -> dict[tuple[str, str], list[float]]:
    """Return the metric of every picture of a set, by engine and precision; without those that this machine has not."""
    methods = {}
    for engine, precision in engines:
        try:
            methods[engine, precision] = method(one, engine, precision)
        except IrflowError as error:
            print(f"{one.folder}: {engine} {precision} is left out: {error}", flush=True)
    found: dict[tuple[str, str], list[float]] = {key: [] for key in methods}
    for case in cases(data, one):
        clean = unit(case.clean)
        for key, chosen in methods.items():
            found[key].append(float(one.metric(unit(chosen.run(case.degraded).pixels), clean)))
    return found


def table(data: Path, sets: tuple[TestSet, ...] = SETS, engines: tuple[tuple[str, str], ...] = ENGINES) -> Iterator[str]:
    """Yield the lines of the table: what each engine's results are above (+) or below (-) torch's in float32."""
    yield f"| PSNR, dB; {date.today().isoformat()}, {processor()} | {' | '.join(' '.join(key) for key in engines)} |"
    yield "|---" * (1 + len(engines)) + "|"
    for one in sets:
        if not (data / one.folder).is_dir():
            print(f"there is no {data / one.folder}; it is left out", flush=True)
            continue
        found = scores(data, one, engines)
        exact = np.array(found[engines[0]])
        cells = [f"{exact.mean():.2f}"]
        cells += [f"{np.mean(np.array(found[key]) - exact):+.3f}" if key in found else "-" for key in engines[1:]]
        yield f"| {one.title}, {len(exact)} pictures | {' | '.join(cells)} |"


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the sets")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    given = parser.parse_args()
    lines = []
    for line in table(given.data):
        print(line, flush=True)
        lines.append(line)
    if not given.dry:
        page = markers.filled(PAGE.read_text(encoding="utf-8"), "precisions", lambda name: "\n".join(lines))
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
