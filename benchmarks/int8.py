"""Measure what int8 costs the checkpoints that ship, and write it into their cards and the manifest.

    python benchmarks/int8.py PICTURES [NAME ...] [--dry]

PICTURES: a folder of clean photographs, of no training set, whose middles are degraded as below. Each network is quantised anew
on drawn pictures, as `irflow restore --precision int8` does it, and takes one step in float32 and in int8. A network that has
no pictures to be calibrated on, such as a prior, is left out. The weights stay as they are; run it after `benchmarks/ship.py`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ship import WEIGHTS, manifest

from irflow_cli.degradations.table import degrade
from irflow_cli.engines.backends.calibration import can_calibrate
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.images.decode import read_picture
from irflow_cli.images.find import find_pictures
from irflow_cli.images.picture import Picture
from irflow_cli.metrics import psnr
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from irflow_cli.tensors import array_of, tensor_of

# By task: degradations and their severities.
MEASURED: dict[str, tuple[tuple[str, float], ...]] = {
    "denoise": (("noise", 5), ("noise", 15), ("noise", 25), ("noise", 50), ("camera", 10)),
    "derain": (("rain", 0.5), ("rain-heavy", 0.5)),
    "deraindrop": (("raindrops", 0.5),),
}
SIDE = 256  # of what is cut out of the middle of a picture
PRECISIONS = ("fp32", "int8")


def middle(path: Path) -> np.ndarray:
    """Return the middle of a picture, (<= SIDE, <= SIDE, 3) uint8."""
    pixels = read_picture(path).rgb8()
    top, left = (max(0, side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def degraded(clean: np.ndarray, kind: str, severity: float, seed: int) -> np.ndarray:
    """Return a picture made worse, (H, W, 3) uint8."""
    worse = degrade(tensor_of(clean / np.float32(255)), kind, severity, generator=torch.Generator().manual_seed(seed))
    return array_of((worse.clamp(0, 1) * 255).round())[0].astype(np.uint8)


def costs(checkpoint: Checkpoint, pictures: list[np.ndarray]) -> str:
    """Return the mean PSNR in both precisions, by degradation, as a line of a card."""
    task, parts = checkpoint.card.task, []
    restorers = [Restorer(RestoreSettings(task, steps=1, device="cpu", precision=one), checkpoint) for one in PRECISIONS]
    if restorers[1].engine.precision != "int8":
        raise SystemExit(f"{checkpoint.path.stem}: {'; '.join(restorers[1].engine.remarks())}")
    for kind, severity in MEASURED[task]:
        found: list[list[float]] = [[], []]
        for seed, clean in enumerate(pictures):
            worse = degraded(clean, kind, severity, seed)
            for values, restorer in zip(found, restorers, strict=True):
                result = restorer.restore(Picture(worse.copy(), None, "PNG"))[0].rgb8()
                values.append(float(psnr(tensor_of(result / np.float32(255)), tensor_of(clean / np.float32(255)))))
        exact, rounded = (float(np.mean(values)) for values in found)
        parts.append(f"{kind} {severity:g}: {exact:.2f} dB in float32, {rounded:.2f} in int8")
    return f"{'; '.join(parts)}; {len(pictures)} pictures of up to {SIDE} x {SIDE}"


def main() -> None:
    """Measure, and write cards and manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    given = parser.parse_args()
    pictures = [middle(path) for path in find_pictures(given.pictures)]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["IRFLOW_CACHE_DIR"] = cache  # nothing that was quantised before is used
        for name in given.names or sorted(path.stem for path in WEIGHTS.glob("*.safetensors")):
            path = WEIGHTS / f"{name}.safetensors"
            checkpoint = load_checkpoint(str(path))
            if not can_calibrate(checkpoint.card.task):
                continue
            line = costs(checkpoint, pictures)
            print(f"{name}: {line}", flush=True)
            if not given.dry:
                card = replace(checkpoint.card, scores={**checkpoint.card.scores, "int8": line})
                save_checkpoint(path, checkpoint.net.state_dict(), card)
    if not given.dry:
        (WEIGHTS / "manifest.toml").write_text(manifest())


if __name__ == "__main__":
    main()
