"""Draw a sheet of samples from a prior, out of noise alone: what it knows of pictures where nothing is given.

    python benchmarks/sheet.py docs/pictures/samples.webp                            the prior that ships
    python benchmarks/sheet.py sheet.png runs/prior/best.safetensors                 another

Sixteen pictures of 128 x 128 pixels, seeds 0 to 15, 64 Euler steps each.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from irflow_cli.engines.prior import Prior
from irflow_cli.engines.settings import SamplerSettings
from irflow_cli.flow.observations import masked
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import SUFFIXES, Coding
from irflow_cli.images.picture import Picture, as_depth
from irflow_cli.runtime.files import write_atomically

ROWS, COLUMNS, SIDE, STEPS = 2, 8, 128, 64


def main(target: Path, checkpoint: str | None) -> None:
    """Draw the samples and write the sheet, in the format of the target's name."""
    prior = Prior(SamplerSettings(sampler="replacement", steps=STEPS, start=0, checkpoint=checkpoint), "pixels")
    count = ROWS * COLUMNS
    nothing = torch.zeros(count, 3, SIDE, SIDE, device=prior.device)
    generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
    ends = prior.sample(masked(nothing, nothing[:, :1]), None, torch.ones(SIDE, SIDE, dtype=torch.bool), generators).state
    sheet = ends.cpu().reshape(ROWS, COLUMNS, 3, SIDE, SIDE).permute(0, 3, 1, 4, 2).reshape(ROWS * SIDE, COLUMNS * SIDE, 3)
    pixels = as_depth(sheet.clamp(0, 1).numpy(), np.dtype(np.uint8))
    data, _ = encode_picture(Picture(pixels, None, "PNG"), SUFFIXES[target.suffix.lower()], Coding(quality=90))
    write_atomically(target, data, overwrite=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
