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
from irflow_cli.images.picture import unit_of
from irflow_cli.metrics import psnr
from irflow_cli.tensors import tensor_of


def mean_psnr(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the mean PSNR of pairs of pixels of 8 bits, in dB."""
    return float(np.mean([psnr(*(tensor_of(unit_of(pixels)) for pixels in pair)).item() for pair in pairs]))


def main() -> None:
    """Read the command line and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    cases = [case for sample in find_samples(parser.parse_args().pairs, paired=True) for case in cases_of(sample, ())]
    denoise = Restorer("denoise", device="cpu")
    print("| rows, columns cut off | noisy | as it is | without |\n|---|---|---|---|")
    for top, left in ((0, 0), (0, 1), (1, 0), (1, 1)):
        cut = [(np.ascontiguousarray(case.degraded[top:, left:]), case.clean[top:, left:]) for case in cases]
        ours = [(denoise(noisy), clean) for noisy, clean in cut]
        with patch.object(restorer, "mosaic_of", return_value=None):
            without = [(denoise(noisy), clean) for noisy, clean in cut]
        print(
            f"| {top}, {left} | " + " | ".join(f"{mean_psnr(pairs):.2f}" for pairs in (cut, ours, without)) + " |", flush=True
        )


if __name__ == "__main__":
    main()
