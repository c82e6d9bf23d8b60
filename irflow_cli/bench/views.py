"""Parts of pictures that are kept for the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from irflow_cli.bench.sets import Case
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import Coding
from irflow_cli.images.picture import Picture
from irflow_cli.runtime.files import write_atomically

VIEW = (300, 400)  # rows and columns of the part of a picture that is kept for the report


def corner(degraded: np.ndarray) -> np.ndarray:
    """Return a small part of a degraded picture, to warm up with; of one with holes it has one in any case."""
    part = degraded[:64, :64].copy()
    if part.shape[2] == 4:
        part[part.shape[0] // 4 : -(part.shape[0] // 4) or None, part.shape[1] // 4 : -(part.shape[1] // 4) or None] = 0
    return part


def worst_part(case: Case) -> tuple[int, int]:
    """Return the corner of the part of the picture, of the size of a view, where the input is farthest from the clean."""
    error = (case.seen.astype(np.float32) - case.clean.astype(np.float32)) ** 2
    height, width = (min(side, most) for side, most in zip(case.clean.shape, VIEW, strict=False))
    totals = np.pad(error.sum(2).cumsum(0, np.float64).cumsum(1), ((1, 0), (1, 0)))
    parts = totals[height:, width:] - totals[:-height, width:] - totals[height:, :-width] + totals[:-height, :-width]
    top, left = np.unravel_index(parts.argmax(), parts.shape)
    return int(top), int(left)


def view_path(folder: Path, digest: str, name: str) -> Path:
    """Return the file of a part of a picture: "clean", "input" or a method's identity, of a case's digest."""
    return folder / "pictures" / digest / f"{name}.webp"


def keep_view(folder: Path | None, case: Case, name: str, pixels: np.ndarray) -> None:
    if folder is not None:
        part = Picture(np.ascontiguousarray(pixels[: VIEW[0], : VIEW[1]]), None, "WEBP")
        data, _ = encode_picture(part, "WEBP", Coding(quality=80))
        write_atomically(view_path(folder, case.digest, name), data, overwrite=True)
