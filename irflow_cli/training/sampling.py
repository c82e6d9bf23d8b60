"""Training sources: what each task draws its degraded pictures from. One table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.degradations.draw import chance, uniform
from irflow_cli.degradations.rain import from_layers
from irflow_cli.flow.coupling import transport_pairing
from irflow_cli.tasks import TASKS
from irflow_cli.training.dataset import Corpus
from irflow_cli.training.options import TrainRequest


@dataclass(frozen=True)
class Part:
    """A share of a task's training pictures: a degradation and the range its severity is drawn from."""

    kind: str
    share: float
    low: float
    high: float


class Source(NamedTuple):
    """Degraded and clean pictures (B, 3, H, W), and the times (B,) at which the degraded ones stand on their paths."""

    degraded: Tensor
    clean: Tensor
    start: Tensor


GREY_SHARE = 0.08  # share of pictures whose three channels are one, rain and noise included
COMPRESSED = Part("jpeg", 0.15, 5, 70)  # what happens to a share of all degraded pictures in the end
NOISE = (Part("noise", 0.78, 0, 55), Part("camera", 0.15, 0, 40), Part("poisson", 0.07, 0, 40))
RAIN = (Part("rain-layers", 0.68, 0.95, 1.2), Part("rain-layers", 0.10, 0.4, 1.1), Part("rain", 0.22, 0.05, 1))
DROPS = (Part("raindrops", 1.0, 0.2, 1),)


def _shared(parts: tuple[Part, ...], share: float) -> tuple[Part, ...]:
    return tuple(Part(part.kind, part.share * share, part.low, part.high) for part in parts)


PARTS: dict[str, tuple[Part, ...]] = {
    "derain": RAIN,
    "denoise": NOISE,
    "deraindrop": DROPS,
    "all-in-one": _shared(NOISE, 0.35) + _shared(RAIN, 0.45) + _shared(DROPS, 0.2),
}
WHITE_NOISES = {"noise", "poisson"}  # independent from pixel to pixel, so that an estimate of its level is near
NOISES = WHITE_NOISES | {"camera"}


def draw_source(task: str, clean: Tensor, generator: torch.Generator, rain_layers: Tensor | None = None) -> Source:
    """Return degraded versions of `clean` (B, 3, H, W) as the task's table of parts says, rounded to 8 bits.

    A share GREY of the pictures is made grey first, so that grey photographs, whose noise is the same in all channels,
    are known too; a share of STORED is kept as a JPEG last, as most photographs are. rain_layers (N, 1, H, W) in [0, 1] are
    rain from files; without them their share falls to synthetic rain. Levels of white noise are told with an error of about
    8 %, since a user, or an estimate, does not know them better. Of other noise an estimate finds a part or nothing, and
    that is what is told of it: the network has to look for itself. For a prior see `draw_on_path`.
    """
    if TASKS[task].prior:
        return draw_on_path(clean, generator)
    parts = [part for part in PARTS[task] if part.kind != "rain-layers" or rain_layers is not None]
    count, device = clean.shape[0], generator.device
    shares = torch.tensor([part.share for part in parts], device=device, dtype=torch.float32)
    chosen = torch.multinomial(shares, count, replacement=True, generator=generator)
    clean, grey = _some_grey(clean, generator)
    compressed = chance(COMPRESSED.share, count, generator) > 0
    degraded, start = clean.clone(), torch.zeros(count, device=device)
    for index, part in enumerate(parts):
        for channels, kept in ((3, ~grey), (1, grey)):
            rows = ((chosen == index) & kept).nonzero()[:, 0]
            if not len(rows):
                continue
            severity = uniform(part.low, part.high, len(rows), generator)
            degraded[rows] = _applier(part.kind, rain_layers)(clean[rows, :channels], severity, generator)
            if part.kind in NOISES:
                near = 1 + 0.08 * torch.randn(len(rows), generator=generator, device=device)
                part_of_it = uniform(0, 1.1, len(rows), generator)
                level = severity * (near if part.kind in WHITE_NOISES else part_of_it).where(~compressed[rows], part_of_it)
                start[rows] = (1 - level / TASKS[task].sigma_max).clamp(0, 0.98)  # type: ignore[operator]
    degraded = (degraded.clamp(0, 1) * 255).round() / 255
    for channels, kept in ((3, ~grey), (1, grey)):
        rows = (compressed & kept).nonzero()[:, 0]
        if len(rows):
            loss = uniform(COMPRESSED.low, COMPRESSED.high, len(rows), generator)
            degraded[rows] = _applier(COMPRESSED.kind, None)(degraded[rows, :channels], loss, generator)
    return Source(degraded, clean, start.to(clean.device))


def draw_on_path(clean: Tensor, generator: torch.Generator) -> Source:
    """Return points between Gaussian noise (mean and deviation a half) and `clean` (B, 3, H, W), and the times (B, 1, H, W) at
    which their pixels stand.

    On [-1, 1], where flow priors are mostly written down, the noise is a standard normal one. Noise and pictures are
    paired by optimal transport within the batch. The time is uniform on [0, 0.99). In most pictures a random part of the
    pixels is further: it is known, at time 1. There half of the others stand at 0, where a trajectory of one step is asked.
    """
    clean, _ = _some_grey(clean, generator)
    count, _, height, width = clean.shape
    noise = torch.randn(clean.shape, generator=generator, device=generator.device).to(clean) / 2 + 0.5
    noise = noise[transport_pairing(noise - 0.5, clean - 0.5)]
    known = draw_known(count, height, width, generator).to(clean)
    partly = known.amax((1, 2, 3))
    t = 0.99 * torch.rand(count, generator=generator, device=generator.device).to(clean)
    t = t * (1 - partly * chance(0.5, count, generator).to(clean))
    times = torch.where(known > 0, 1.0, t[:, None, None, None])
    return Source(noise + times * (clean - noise), clean, times)


def draw_known(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Return what is known of pictures, (count, 1, H, W), 0 or 1, of many shapes: nothing, single pixels, a grid, all but
    curves, all but blots.

    Curves and blots are where smooth noise of a random scale is near to zero, or large.
    """

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device)

    known = torch.zeros((count, 1, height, width), device=generator.device)
    for row, (kind, share, scale) in enumerate(draw(count, 3).tolist()):
        if kind < 0.2:
            continue
        if kind < 0.35:
            known[row] = (draw(1, height, width) < 0.03 + 0.6 * share**1.5).float()
        elif kind < 0.4:
            step = 2 + int(3 * scale)
            known[row, :, ::step, ::step] = 1
        else:
            cell = 4 * 12**scale  # pixels of a bump of the noise
            size = (2 + int(height / cell), 2 + int(width / cell))
            bumps = torch.randn((1, 1, *size), generator=generator, device=generator.device)
            bumps = F.interpolate(bumps, (height, width), mode="bicubic", align_corners=True)[0]
            bumps = bumps.abs() if kind < 0.75 else bumps
            known[row] = (bumps > bumps.flatten().quantile(0.03 + 0.4 * share)).float()
    return known


def _some_grey(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the pictures with a share of GREY made grey, and which (B,) are."""
    grey = chance(GREY_SHARE, len(clean), generator) > 0
    return torch.where(grey[:, None, None, None].to(clean.device), clean.mean(1, keepdim=True), clean), grey


def _applier(kind: str, rain_layers: Tensor | None) -> Callable[[Tensor, Tensor, torch.Generator], Tensor]:
    if kind == "rain-layers":
        assert rain_layers is not None
        return partial(from_layers, layers=rain_layers)
    return DEGRADATIONS[kind].apply


def draw_batch(request: TrainRequest, corpus: Corpus, layers: Tensor | None, generator: torch.Generator) -> Source:
    """Return the pictures of one iteration: pairs from the files, or clean crops degraded by the task's table."""
    crops = corpus.batch(request.batch, request.crop, torch.Generator().manual_seed(generator.initial_seed()))
    if corpus.paired:
        return Source(crops[:, 3:], crops[:, :3], torch.zeros(len(crops), device=crops.device))
    return draw_source(request.task, crops, generator, layers)


def draw_times(start: Tensor, at_start: float, generator: torch.Generator) -> tuple[Tensor, int]:
    """Return times (B,) and how many of them, the first, are later than `start`; the share `at_start` stands there.

    The later ones are uniform between there and 1.
    """
    later = round(len(start) * (1 - at_start))
    draws = 0.98 * torch.rand(later, generator=generator, device=generator.device).to(start.device)
    return torch.cat([start[:later] + (1 - start[:later]) * draws, start[later:]]), later
