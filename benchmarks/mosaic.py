"""What it gains to see a camera's noise from the first pixel of its mosaic on, wherever a photograph begins.

    python benchmarks/mosaic.py real_noise/

real_noise/: pairs as `irflow bench` takes them. Written for each way to cut off the first row, the first column or both: the
mean PSNR of the noisy pictures, of what `denoise` makes of them as it is, and as it would without looking for the mosaic.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest.mock import patch

import numpy as np

from irflow_cli.api import Restorer
from irflow_cli.bench.sets import cases_of, find_samples
from irflow_cli.engines import restorer


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Return the PSNR of pixels of 8 bits, in dB."""
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def main() -> None:
    """Read the command line and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    pairs = [case for sample in find_samples(parser.parse_args().pairs, paired=True) for case in cases_of(sample, ())]
    denoise = Restorer("denoise", device="cpu")
    print("| rows, columns cut off | noisy | as it is | without |\n|---|---|---|---|")
    for top, left in ((0, 0), (0, 1), (1, 0), (1, 1)):
        cut = [(np.ascontiguousarray(case.degraded[top:, left:]), case.clean[top:, left:]) for case in pairs]
        plain = np.mean([psnr(noisy, clean) for noisy, clean in cut])
        ours = np.mean([psnr(denoise(noisy), clean) for noisy, clean in cut])
        with patch.object(restorer, "mosaic_of", return_value=None):
            without = np.mean([psnr(denoise(noisy), clean) for noisy, clean in cut])
        print(f"| {top}, {left} | {plain:.2f} | {ours:.2f} | {without:.2f} |", flush=True)


if __name__ == "__main__":
    main()
