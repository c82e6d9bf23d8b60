"""How much a task changes clean photographs: blocks of 64 x 64 pixels whose mean moves, and PSNR of output against input.

    python benchmarks/harm.py derain deraindrop denoise [--photos FILE ...]

Of five photographs of scikit-image's, one of its stereo pair, and those of --photos. Written per task: blocks in all, those
that moved by half a grey level or more, by one, by three, the worst, and the median; and the mean and the worst PSNR of a
picture, in dB, SAME where nothing changes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from mosaic import mean_psnr
from skimage import data

from irflow_cli.api import Restorer
from irflow_cli.images.decode import read_picture

BLOCK = 64
LEVELS = (0.5, 1, 3)
SAME = 90.0  # dB that a picture counts which does not change
NAMES = ("astronaut", "chelsea", "coffee", "rocket", "retina")


def photographs(files: list[Path]) -> list[np.ndarray]:
    """Return scikit-image's pictures and those of files, (H, W, 3) uint8."""
    known = [getattr(data, name)() for name in NAMES] + [data.stereo_motorcycle()[0]]
    return known + [read_picture(file).rgb8() for file in files]


def block_means(picture: np.ndarray) -> np.ndarray:
    """Return the means of whole blocks, (rows, columns, 3)."""
    rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    whole = picture[: rows * BLOCK, : columns * BLOCK].astype(float)
    return whole.reshape(rows, BLOCK, columns, BLOCK, 3).mean((1, 3))


def moved(result: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Return by how many levels the means of blocks are off, in the worst channel, (rows, columns)."""
    return np.abs(block_means(result) - block_means(clean)).max(-1)


def agreement(result: np.ndarray, clean: np.ndarray) -> float:
    """Return the PSNR of a result against what it was made of, at most SAME, in dB."""
    return SAME if np.array_equal(result, clean) else min(SAME, mean_psnr([(result, clean)]))


def row_of(task: str, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> str:
    """Return a task's row, by pairs of a result and the clean picture."""
    blocks, decibels = zip(*((moved(*pair).ravel(), agreement(*pair)) for pair in pairs), strict=True)
    every = np.concatenate(blocks)
    counts = " | ".join(str(int((every >= level).sum())) for level in LEVELS)
    means = f"{every.max():.2f} | {np.median(every):.2f} | {np.mean(decibels):.1f} | {min(decibels):.1f}"
    return f"| {task} | {every.size} | {counts} | {means} |"


def main() -> None:
    """Read the command line and write a row of a table for each task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--photos", nargs="*", type=Path, default=[])
    given = parser.parse_args()
    clean = photographs(given.photos)
    print("| task | blocks | " + " | ".join(f"by {level}" for level in LEVELS) + " | worst | median | PSNR | worst |")
    print("|" + "---|" * (len(LEVELS) + 6))
    for task in given.tasks:
        restore = Restorer(task, device="cpu")
        print(row_of(task, ((restore(picture), picture) for picture in clean)), flush=True)


if __name__ == "__main__":
    main()
