"""How long `--runner ray` takes on this machine beside the local run, for pictures of 0.25 MP; results have to be the same.

    python benchmarks/ray_speed.py [--pictures 500] [--rounds 2] [--store]

Needs Ray (`pip install ".[ray]"`), and a quiet machine: what counts is time by the clock. That of all pictures is counted from
the first result to the last, and the start before it by itself. --store writes the table to docs/scale-out.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import markers
import numpy as np
from PIL import Image

from irflow_cli.runtime.device import processor

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "scale-out.md"
PHOTOGRAPH = ROOT / "docs" / "pictures" / "rainy.png"  # what the pictures are parts of
SIDE = 500
RESTORE = ("--task", "denoise", "--engine", "torch", "--device", "cpu", "-q")


class Run(NamedTuple):
    """Seconds until the first result, and from then to the last."""

    start: float
    rest: float


def drawn(folder: Path, count: int) -> Path:
    """Write `count` different pictures of SIDE x SIDE pixels into a folder and return it."""
    folder.mkdir()
    random = np.random.default_rng(0)
    with Image.open(PHOTOGRAPH) as photograph:
        photo = np.asarray(photograph.convert("RGB").resize((2 * SIDE, 2 * SIDE)))
    for number in range(count):
        top, left = random.integers(0, SIDE, 2)
        Image.fromarray(photo[top : top + SIDE, left : left + SIDE]).save(folder / f"{number:04}.jpg", quality=92)
    return folder


def timed(runner: str, pictures: Path, output: Path) -> Run:
    """Return what `irflow restore` of a folder takes. Raises CalledProcessError when it fails."""
    began = time.time()
    command = [sys.executable, "-m", "irflow_cli", "--no-config", "restore", str(pictures), "-o", str(output), *RESTORE]
    subprocess.run([*command, "--runner", runner], check=True, stdout=subprocess.DEVNULL)
    done = sorted(path.stat().st_mtime for path in output.glob("*.jpg"))
    return Run(done[0] - began, done[-1] - done[0])


def differing(first: Path, second: Path) -> list[str]:
    """Return the names of results of the first folder that are not the same, byte for byte, in the second."""
    return [path.name for path in sorted(first.glob("*.jpg")) if path.read_bytes() != (second / path.name).read_bytes()]


def table(count: int, rounds: int) -> Iterator[str]:
    """Yield the lines of the table. Runs take turns; each figure is the median of the rounds."""
    found: dict[str, list[Run]] = {"local": [], "ray": []}
    with tempfile.TemporaryDirectory() as name:
        pictures = drawn(Path(name, "pictures"), count)
        for number in range(rounds):
            for runner, runs in found.items():
                runs.append(timed(runner, pictures, Path(name, f"{runner}{number}")))
                print(f"{runner}: {runs[-1].start:.1f} + {runs[-1].rest:.1f} s", file=sys.stderr, flush=True)
        different = differing(Path(name, "local0"), Path(name, "ray0"))
    (start, rest), (ray_start, ray_rest) = (np.median(runs, axis=0) for runs in found.values())
    ratio = float(np.median([ray.rest / local.rest for local, ray in zip(*found.values(), strict=True)]))
    same = f"{len(different)} of {count} results differ" if different else f"all {count} results are the same"
    machine = f"Ray {version('ray')}, {processor()}"
    yield f"| {date.today().isoformat()}, {machine}, {count} pictures of {SIDE} x {SIDE} | local | Ray |"
    yield "|---|---|---|"
    yield f"| until the first result | {start:.1f} s | {ray_start:.1f} s |"
    yield f"| from the first result to the last | {rest:.0f} s | {ray_rest:.0f} s, {ratio:.2f} of the local run's; {same} |"


def main() -> None:
    """Measure, print, and store where that is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--store", action="store_true")
    given = parser.parse_args()
    text = "\n".join(table(given.pictures, given.rounds)) + "\n"
    print(text, end="")
    if given.store:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(markers.filled(page, "ray", lambda name: text), encoding="utf-8")


if __name__ == "__main__":
    main()
