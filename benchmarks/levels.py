"""What a level of the noise that is given changes beside the one that `denoise` finds, by kind of noise.

    python benchmarks/levels.py kodak24-four/* --pairs real_noise/

Of the middle of each photograph, SIDE pixels high and wide, with drawn noise of KINDS, and of pairs of real noise. Written for
each kind: the mean PSNR without a level (90 dB where nothing changes), and by how much it changes at worst and at best, with
the level, of LEVELS, that does it. --believed: how many times above or below what is found a level may be, in place of irflow's
own limit.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from harm import agreement

from irflow_cli.api import Restorer
from irflow_cli.bench.sets import Case, cases_of, find_samples, pixels_of, unit
from irflow_cli.degradations import degrade
from irflow_cli.engines import restorer
from irflow_cli.images.decode import read_picture

SIDE = 192
LEVELS = (1, 3, 6, 12, 25, 50)
KINDS = (
    *("clean", "noise:3", "noise:10", "noise:25", "noise:50", "camera:1.5", "camera:2.5", "camera:5", "camera:10", "camera:20"),
    *("photo:3", "photo:8", "film-grain:8"),
)
Pairs = list[tuple[np.ndarray, np.ndarray]]


def drawn(photos: list[Path]) -> dict[str, Pairs]:
    """Return the pairs of a noisy and a clean picture, by kind, that are made of photographs."""
    found: dict[str, Pairs] = defaultdict(list)
    for number, path in enumerate(photos):
        whole = read_picture(path).rgb8()
        top, left = ((have - SIDE) // 2 for have in whole.shape[:2])
        clean = whole[max(0, top) :, max(0, left) :][:SIDE, :SIDE]
        for kind in KINDS:
            name, _, severity = kind.partition(":")
            noisy = unit(clean)
            if severity:
                noisy = degrade(noisy, name, float(severity), generator=torch.Generator().manual_seed(number))
            found[kind].append((pixels_of(noisy), clean))
    return found


def real(folder: Path) -> Pairs:
    """Return the pairs of a folder, SIDE x SIDE pixels of each."""
    cases: list[Case] = [case for sample in find_samples(folder, paired=True) for case in cases_of(sample, ())]
    return [(case.degraded[:SIDE, :SIDE], case.clean[:SIDE, :SIDE]) for case in cases]


def scores(sets: dict[str, Pairs], sigma: float | None) -> dict[str, float]:
    """Return the mean PSNR of what `denoise` makes of each set, given a level."""
    denoise = Restorer("denoise", sigma=sigma, device="cpu")
    return {kind: float(np.mean([agreement(denoise(noisy), clean) for noisy, clean in pairs])) for kind, pairs in sets.items()}


def main() -> None:
    """Read the command line and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--believed", type=float, default=restorer.BELIEVED)
    given = parser.parse_args()
    sets = drawn(given.photos) | ({"real": real(given.pairs)} if given.pairs else {})
    with patch.object(restorer, "BELIEVED", given.believed):
        usual, others = scores(sets, None), {level: scores(sets, level) for level in LEVELS}
    print("| noise | without a level | at worst | at best |\n|---|---|---|---|")
    for kind, found in usual.items():
        changes = [(others[level][kind] - found, level) for level in LEVELS]
        ends = " | ".join(f"{change:+.2f} ({level})" for change, level in (min(changes), max(changes)))
        print(f"| {kind} | {found:.2f} | {ends} |")


if __name__ == "__main__":
    main()
