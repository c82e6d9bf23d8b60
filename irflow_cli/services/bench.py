"""How good, and how fast: a task's checkpoint measured over a folder of pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from irflow_cli import metrics
from irflow_cli.degradations import DEGRADATIONS, degrade
from irflow_cli.errors import NothingToDo, UsageError
from irflow_cli.runtime.images import Picture, find_pictures, read_picture
from irflow_cli.services.restore import Restorer, RestoreSettings


@dataclass(frozen=True)
class BenchRequest:
    """What to measure. data: pairs (`clean/` and `degraded/`, matched by name) or clean pictures with `degrade`, such as
    "noise:25", made with the picture's number in sorted order as the seed and stored as 8 bits."""

    data: Path
    settings: RestoreSettings
    steps: tuple[int, ...] = (1,)
    degrade: str | None = None


@dataclass(frozen=True)
class Scores:
    """Figures of one picture, or the means over many. PSNR in dB, time in seconds a megapixel, nan for what is missing.

    Outputs are rounded to 8 bits, no border is cut, the data range is 1. psnr_y and ssim_y are of BT.601 luma; ms_ssim and
    vif come from torchmetrics (extra `metrics`).
    """

    psnr: float
    ssim: float
    psnr_y: float
    ssim_y: float
    ms_ssim: float
    vif: float
    seconds_per_mp: float


@dataclass(frozen=True)
class Row:
    """One picture measured: `method` is "input" or "irflow", `steps` 0 for the input."""

    picture: str
    method: str
    steps: int
    scores: Scores


def bench(request: BenchRequest) -> Iterator[Row]:
    """Yield a row for the input and one for every number of steps, picture by picture.

    Raises NothingToDo without pictures, UsageError for pairs that do not match.
    """
    restorers = {count: Restorer(replace(request.settings, steps=count)) for count in request.steps}
    for name, degraded, clean in pairs(request):
        reference = _tensor(clean)
        yield Row(name, "input", 0, measure(_tensor(degraded.rgb8()), reference, float("nan")))
        for count, restorer in restorers.items():
            began = time.perf_counter()
            restored, _ = restorer.restore(degraded.with_pixels(degraded.pixels.copy()))
            seconds = time.perf_counter() - began
            megapixels = clean.shape[0] * clean.shape[1] / 1e6
            yield Row(name, "irflow", count, measure(_tensor(restored.rgb8()), reference, seconds / megapixels))


def pairs(request: BenchRequest) -> Iterator[tuple[str, Picture, np.ndarray]]:
    """Yield (name, degraded, clean (H, W, 3) uint8) of the request's pictures in sorted order."""
    folder = request.data / "clean" if (request.data / "clean").is_dir() else request.data
    paths = find_pictures(folder)
    if not paths:
        raise NothingToDo(f"no pictures below {folder}")
    make = _maker(request)
    for index, path in enumerate(paths):
        clean = read_picture(path).rgb8()
        degraded = make(index, path, clean)
        if degraded.pixels.shape[:2] != clean.shape[:2]:
            raise UsageError(f"{path.name}: the degraded picture has another size than the clean one")
        yield path.stem, degraded, clean


def _maker(request: BenchRequest) -> Callable[[int, Path, np.ndarray], Picture]:
    if request.degrade is None:
        folder = request.data / "degraded"
        if not folder.is_dir():
            raise UsageError(f"{request.data} has no clean/ and degraded/; for clean pictures give --degrade KIND:SEVERITY")
        by_stem = {path.stem: path for path in find_pictures(folder)}

        def read(index: int, path: Path, clean: np.ndarray) -> Picture:
            if path.stem not in by_stem:
                raise UsageError(f"{path.name} has no partner in {folder}; pairs share one name")
            return read_picture(by_stem[path.stem])

        return read
    kind, _, severity = request.degrade.partition(":")
    try:
        entry = DEGRADATIONS[kind]
        level = float(severity) if severity else entry.usual
    except (KeyError, ValueError):
        kinds = ", ".join(DEGRADATIONS)
        raise UsageError(f"--degrade is KIND:SEVERITY with a kind of {kinds}; got {request.degrade!r}") from None
    if not 0 <= level <= entry.largest:
        raise UsageError(f"the severity of {kind} goes from 0 to {entry.largest:g} ({entry.unit}), got {level:g}")

    def make(index: int, path: Path, clean: np.ndarray) -> Picture:
        generator = torch.Generator().manual_seed(index)
        spoiled = metrics.rounded(degrade(_tensor(clean), kind, level, generator=generator))
        return Picture((spoiled[0].permute(1, 2, 0) * 255).round().byte().numpy(), None, "PNG")

    return make


def measure(image: Tensor, reference: Tensor, seconds_per_mp: float) -> Scores:
    """Return the figures of a picture (1, 3, H, W) against its reference, both in [0, 1]."""
    small = min(image.shape[-2:]) < 11
    missing = float("nan")
    return Scores(
        psnr=float(metrics.psnr(image, reference)),
        ssim=missing if small else float(metrics.ssim(image, reference)),
        psnr_y=float(metrics.psnr_y(image, reference)),
        ssim_y=missing if small else float(metrics.ssim_y(image, reference)),
        ms_ssim=_library("multiscale_structural_similarity_index_measure", image, reference, 161, data_range=1.0),
        vif=_library("visual_information_fidelity", image * 255, reference * 255, 41),
        seconds_per_mp=seconds_per_mp,
    )


def _library(name: str, image: Tensor, reference: Tensor, smallest: int, **options: float) -> float:
    """Return a metric of torchmetrics, nan when it is not installed or the picture is too small for it."""
    try:
        from torchmetrics.functional import image as library
    except ImportError:
        return float("nan")
    if min(image.shape[-2:]) < smallest:
        return float("nan")
    return float(getattr(library, name)(image, reference, **options))


def averages(rows: list[Row]) -> dict[tuple[str, int], Scores]:
    """Return the mean figures of every (method, steps), in order of appearance."""
    groups: dict[tuple[str, int], list[Scores]] = {}
    for row in rows:
        groups.setdefault((row.method, row.steps), []).append(row.scores)
    names = [field.name for field in fields(Scores)]
    return {
        key: Scores(**{name: float(np.mean([getattr(one, name) for one in group])) for name in names})
        for key, group in groups.items()
    }


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
