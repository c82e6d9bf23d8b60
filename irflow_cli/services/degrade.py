"""Test data: clean pictures in, spoiled pictures out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from irflow_cli.degradations import DEGRADATIONS, degrade
from irflow_cli.errors import UsageError
from irflow_cli.runtime.images import Picture
from irflow_cli.services.batch import Outcome, Progress, plan, work_through


@dataclass(frozen=True)
class DegradeRequest:
    """Pictures to spoil, how, and where to put them. severity None is the kind's usual one."""

    inputs: tuple[Path, ...]
    output: Path
    kind: str
    severity: float | None = None
    seed: int = 0
    overwrite: bool = False


def degrade_files(request: DegradeRequest) -> Iterator[Outcome]:
    """Spoil every picture and yield what became of each. Raises UsageError before any work if it makes no sense.

    Randomness hangs on the seed and the picture's content, not on its place in the batch.
    """
    if request.kind not in DEGRADATIONS:
        raise UsageError(f"unknown kind {request.kind!r}; there are {', '.join(DEGRADATIONS)}")
    entry = DEGRADATIONS[request.kind]
    severity = entry.usual if request.severity is None else request.severity
    if not 0 <= severity <= entry.largest:
        raise UsageError(f"--severity of {request.kind} goes from 0 to {entry.largest:g} ({entry.unit}), got {severity:g}")
    jobs = plan(list(request.inputs), request.output, "", overwrite=request.overwrite)

    def work(picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        return degrade_picture(picture, request.kind, severity, request.seed), ()

    return work_through(jobs, work, overwrite=request.overwrite)


def degrade_picture(picture: Picture, kind: str, severity: float, seed: int) -> Picture:
    """Return the picture spoiled by an entry of DEGRADATIONS, clipped and rounded to its own depth."""
    content = hashlib.sha256(np.ascontiguousarray(picture.pixels).tobytes()).digest()
    generator = torch.Generator().manual_seed((int.from_bytes(content[:7], "big") + seed * 0x9E3779B1) % 2**63)
    clean = torch.from_numpy(picture.unit()).permute(2, 0, 1)[None]
    spoiled = degrade(clean, kind, severity, generator=generator)[0].permute(1, 2, 0).numpy()
    largest = np.iinfo(picture.pixels.dtype).max
    pixels = np.round(np.clip(spoiled, 0, 1) * largest).astype(picture.pixels.dtype)
    return picture.with_pixels(pixels if picture.pixels.ndim == 3 else pixels[..., 0])
