"""Training sources: what each task draws its degraded pictures from. One table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.degradations.distractors import distractors
from irflow_cli.degradations.draw import chance, log_uniform, uniform
from irflow_cli.degradations.jpeg import compress
from irflow_cli.degradations.rain import from_layers
from irflow_cli.degradations.shrink import area
from irflow_cli.degradations.soften import soften
from irflow_cli.flow.coupling import transport_pairing
from irflow_cli.seeds import seed_of
from irflow_cli.tasks import task_of
from irflow_cli.tensors import to_device
from irflow_cli.training.dataset import Corpus, load_rain_layers
from irflow_cli.training.distributed import ProcessGroup
from irflow_cli.training.known import draw_known, hole_pool
from irflow_cli.training.options import TrainRequest


@dataclass(frozen=True)
class Part:
    """A share of a task's training pictures: a degradation and the range its severity is drawn from, the lower ones more often
    with a larger `power`."""

    kind: str
    share: float
    low: float
    high: float
    power: float = 1.0


class Source(NamedTuple):
    """Degraded and clean pictures (B, 3, H, W), and the times (B,) at which the degraded ones stand on their paths."""

    degraded: Tensor
    clean: Tensor
    start: Tensor


Batch = tuple[Source, torch.Generator]

GREY_SHARE = 0.08  # share of pictures whose three channels are one, rain and noise included
COMPRESSED = Part("jpeg", 0.25, 3, 60)  # what happens to a share of all degraded pictures in the end
NOISE = (
    Part("noise", 0.58, 0, 55),
    Part("photo", 0.24, 0.5, 25, 1.7),
    Part("film-grain", 0.05, 1, 25, 1.4),
    Part("camera", 0.02, 0, 40),
    Part("poisson", 0.03, 0, 40),
    Part("clean", 0.08, 0, 0),
)
GRAIN = Part("grain", 0.65, 0, 7, 2)  # of the camera, over rain and drops as over what lies behind them, and not to be removed
RAIN = (
    Part("rain-layers", 0.31, 0.95, 1.2),
    Part("rain-layers", 0.06, 0.4, 1.1),
    Part("rain-heavy", 0.20, 0.15, 1),
    Part("rain", 0.20, 0.05, 1),
    Part("rain-soft", 0.11, 0.1, 1),
    Part("rain-veil", 0.04, 0.1, 0.6),
    Part("clean", 0.08, 0, 0),
)
LINES, SOFT = 0.18, 0.15  # shares of the clean pictures of rain that get lines which are no rain, and that are soft
GUESSED = (0.8, 0.97)  # times at which a guess may stand
ENLARGED = 0.25  # share of a prior's pictures that stand on the way from a smaller copy of theirs, not from noise
DROPS = (Part("raindrops", 0.53, 0.4, 1), Part("raindrops", 0.12, 0.05, 0.4), Part("clean", 0.35, 0, 0))


def _shared(parts: tuple[Part, ...], share: float) -> tuple[Part, ...]:
    return tuple(replace(part, share=part.share * share) for part in parts)


PARTS: dict[str, tuple[Part, ...]] = {
    "derain": RAIN,
    "denoise": NOISE,
    "deraindrop": DROPS,
    "all-in-one": _shared(NOISE, 0.35) + _shared(RAIN, 0.45) + _shared(DROPS, 0.2),
}
WHITE_NOISES = {"noise", "poisson"}  # independent from pixel to pixel, so that an estimate of its level is near
NOISES = WHITE_NOISES | {"camera", "photo", "film-grain", "clean"}


def draw_source(
    task: str,
    clean: Tensor,
    generator: torch.Generator,
    layers: Tensor | None = None,
    known: float = TrainRequest.known,
) -> Source:
    """Return degraded versions of `clean` (B, 3, H, W) as the task's table of parts says, rounded to 8 bits.

    A share GREY_SHARE of the pictures is made grey: grey photographs have the same noise in all channels. Where noise is not
    what is removed, a share of GRAIN gets some, the clean picture the same: without it water shows by the grain that it hides,
    which is so in drawn pictures alone. A share of COMPRESSED is kept as a JPEG last, as most photographs are. layers
    (N, 1, H, W) in [0, 1] are rain from files; without them their share falls to synthetic rain. For a prior they are holes,
    see `draw_on_path`, and so is the share `known`. For the level that goes with noise see `given_level`.

    Which picture gets what is drawn on the host, and pictures of one kind lie side by side, so a GPU is never waited for. What
    is the same for all kinds is done for all at once: hundreds of small operations take a GPU's host longer than the GPU.
    """
    if task_of(task).prior:
        return draw_on_path(clean, generator, known, layers)
    parts = [part for part in PARTS[task] if part.kind != "rain-layers" or layers is not None]
    count, random = len(clean), np.random.default_rng(seed_of(generator.initial_seed(), b"parts"))
    shares = np.array([part.share for part in parts])
    chosen = random.choice(len(parts), count, p=shares / shares.sum())
    for share, change in _look_alikes(parts):
        clean = _for_some(share, change, clean, random, generator)
    kinds = 2 * chosen + (random.random(count) < GREY_SHARE)  # colour, then grey
    counts = np.bincount(kinds, minlength=2 * len(parts)).tolist()
    sigma_max, degraded, start, targets, files = task_of(task).sigma_max, [], [], [], []
    for pictures, kind in zip(clean.split(counts), range(2 * len(parts)), strict=True):
        if not len(pictures):
            continue
        part = parts[kind // 2]
        target = pictures.mean(1, keepdim=True) if kind % 2 else pictures
        spread = torch.rand(len(pictures), generator=generator, device=generator.device) ** part.power
        severity = part.low + (part.high - part.low) * spread
        worse = applier(part.kind, layers)(target, severity, generator)
        if sigma_max is None:
            noise = grain(target, generator)
            worse, target = worse + noise, (target + noise).clamp(0, 1)
        worse = (worse.clamp(0, 1) * 255).round() / 255
        stored = chance(COMPRESSED.share, len(pictures), generator) > 0
        quality = (100 - uniform(COMPRESSED.low, COMPRESSED.high, len(pictures), generator)).round()
        files.append((stored, quality))
        level = torch.zeros_like(severity)
        if part.kind in NOISES and sigma_max is not None:
            level = given_level(severity, stored, part.kind in WHITE_NOISES, generator)
            level = (1 - level / sigma_max).clamp(0, 0.98)
        degraded.append(worse.expand_as(pictures))
        targets.append(target.expand_as(pictures))
        start.append(level)
    order = to_device(random.permutation(count), clean.device)  # not by kind
    stored, quality = (torch.cat(one) for one in zip(*files, strict=True))
    worse, target = torch.cat(degraded), torch.cat(targets)
    worse = torch.where(stored[:, None, None, None], compress(worse, quality, stored), worse)
    return Source(worse[order], target[order], torch.cat(start).to(clean.device)[order])


def _look_alikes(parts: list[Part]) -> Iterator[tuple[float, Callable[[Tensor, torch.Generator], Tensor]]]:
    """Yield what is done to a share of the clean pictures, so that they hold what is like rain, and is not to go."""
    if any(part.kind.startswith("rain") and part.kind != "raindrops" for part in parts):
        yield LINES, distractors
        yield SOFT, soften


def grain(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Return a camera's noise for `pictures` (B, C, H, W), of the levels of GRAIN: more or less soft, more or less coloured."""
    count = len(pictures)

    def each(low: float, high: float) -> Tensor:
        return uniform(low, high, count, generator)[:, None, None, None]

    noise = torch.randn(pictures.shape, generator=generator, device=generator.device)
    noise = torch.lerp(noise, 2.2 * F.avg_pool2d(noise, 3, 1, 1, count_include_pad=False), each(0, 1))
    noise = torch.lerp(noise, pictures.shape[1] ** 0.5 * noise.mean(1, keepdim=True), each(0, 1))
    there = chance(GRAIN.share, count, generator)[:, None, None, None]
    return (there * (GRAIN.low + (GRAIN.high - GRAIN.low) * each(0, 1) ** GRAIN.power) / 255 * noise).to(pictures)


def given_level(severity: Tensor, stored: Tensor, white: bool, generator: torch.Generator) -> Tensor:
    """Return the levels (B,) that go with noise of `severity` (B,), 0-255 scale.

    An estimate of white noise is right to some 8 %, of other noise or behind JPEG it finds next to nothing. A user is often
    wrong either way. So the level is a hint, and the network has to look for itself.
    """
    count = len(severity)
    near = severity * (1 + 0.08 * torch.randn(count, generator=generator, device=generator.device))
    nothing = uniform(0, 2, count, generator)
    part = severity * uniform(0, 1.1, count, generator)
    guess = (severity + 0.5) * log_uniform(0.4, 4.0, count, generator)
    lot = uniform(0, 1, count, generator)
    if white:
        usual = torch.where(stored, torch.where(lot < 0.5, nothing, part), near)
        return torch.where(lot > 0.9, guess, usual)
    return torch.where(lot < 0.6, nothing, torch.where(lot < 0.7, part, guess))


def draw_on_path(clean: Tensor, generator: torch.Generator, share: float, holes: Tensor | None = None) -> Source:
    """Return points between Gaussian noise (mean and deviation a half) and `clean` (B, 3, H, W), and the times (B, 1, H, W) at
    which their pixels stand.

    On [-1, 1], where flow priors are mostly written down, the noise is a standard normal one. Noise and pictures are
    paired by optimal transport within the batch. The time is uniform on [0, 0.99). In a `share` of the pictures a random part
    of the pixels is further: it is known, at time 1. There the others mostly stand at 0, where a trajectory of one step
    begins. A share ENLARGED stands where upscaling begins, on the way from the mean of the noise to what `enlarged` makes of
    them; not so with no share at all, which is the papers' prior.
    """
    clean = _some_grey(clean, generator)
    count, _, height, width = clean.shape
    noise = torch.randn(clean.shape, generator=generator, device=generator.device).to(clean) / 2 + 0.5
    noise = noise[transport_pairing(noise - 0.5, clean - 0.5)]
    known = draw_known(count, height, width, generator, share, holes).to(clean)
    partly = known.amax((1, 2, 3))
    t = 0.99 * torch.rand(count, generator=generator, device=generator.device).to(clean)
    t = t * (1 - partly * chance(0.7, count, generator).to(clean))
    times = torch.where(known > 0, 1.0, t[:, None, None, None])
    lot = np.random.default_rng(seed_of(generator.initial_seed(), b"small")).random()
    small = int(count * ENLARGED + lot) if share else 0
    guess, late = enlarged(clean[:small], generator), uniform(*GUESSED, small, generator).to(clean)[:, None, None, None]
    noise = torch.cat([torch.full_like(guess, 0.5), noise[small:]])
    times = torch.cat([late.expand(-1, 1, height, width), times[small:]])
    return Source(noise + times * (torch.cat([guess, clean[small:]]) - noise), clean, times)


def enlarged(clean: Tensor, generator: torch.Generator) -> Tensor:
    """Return the pictures (B, C, H, W) as upscaling guesses them: made 2, 3 or 4 times as small by area averages, mostly 2,
    rounded to 8 bits, some with a little noise, and enlarged by bicubic interpolation."""
    guess = clean
    lot = uniform(0, 1, len(clean), generator)[:, None, None, None].to(clean)
    noise = 6 / 255 * (5 * uniform(0, 1, len(clean), generator) - 4).clamp_min(0)  # none for four of five
    noise = noise[:, None, None, None].to(clean)
    for scale, share in ((2, 1.0), (3, 0.35), (4, 0.15)):
        short = [-side % scale for side in clean.shape[-2:]]
        whole = F.pad(clean, (0, short[1], 0, short[0]), mode="replicate")
        small = area(whole, scale)
        small = small + noise * torch.randn(small.shape, generator=generator, device=generator.device).to(clean)
        small = (small.clamp(0, 1) * 255).round() / 255
        large = F.interpolate(small, scale_factor=scale, mode="bicubic", align_corners=False)
        guess = torch.where(lot < share, large[..., : clean.shape[-2], : clean.shape[-1]], guess)
    return guess


def _for_some(
    share: float,
    change: Callable[[Tensor, torch.Generator], Tensor],
    pictures: Tensor,
    random: np.random.Generator,
    generator: torch.Generator,
) -> Tensor:
    """Return the pictures with a random `share` of them changed."""
    which = to_device(np.flatnonzero(random.random(len(pictures)) < share), pictures.device)
    return pictures.index_copy(0, which, change(pictures[which], generator)) if len(which) else pictures


def _some_grey(clean: Tensor, generator: torch.Generator) -> Tensor:
    """Return the pictures with a share of GREY_SHARE made grey."""
    grey = chance(GREY_SHARE, len(clean), generator) > 0
    return torch.where(grey[:, None, None, None].to(clean.device), clean.mean(1, keepdim=True), clean)


def applier(kind: str, layers: Tensor | None) -> Callable[[Tensor, Tensor, torch.Generator], Tensor]:
    """Return what degrades clean pictures (B, C, H, W) by severities (B,) as a Part of this kind does, with rain from files."""
    if kind == "rain-layers":
        assert layers is not None
        return partial(from_layers, layers=layers)
    if kind == "clean":
        return lambda clean, severity, generator: clean
    return DEGRADATIONS[kind].apply


def load_layers(request: TrainRequest, device: torch.device) -> Tensor | None:
    """Return what lies over pictures, (N, 1, H, W): rain in [0, 1] from the files of the request, or a prior's holes, bool."""
    if task_of(request.task).prior:
        return hole_pool().to(device)
    return load_rain_layers(request.rain_layers).to(device) if request.rain_layers else None


class Sampler:
    """The batches of this process, by the number of the iteration: `accumulate` of them in each.

    Batches are numbered through over iterations and processes, so n processes see what one that accumulates n batches sees.
    The batches of `prefetch` iterations are drawn at once: many small operations are then few large ones, and a GPU is busy.
    """

    def __init__(self, request: TrainRequest, corpus: Corpus, layers: Tensor | None, group: ProcessGroup) -> None:
        self.request, self.corpus, self.layers, self.group = request, corpus, layers, group
        self.drawn: dict[int, Source] = {}  # by its seed, what is not used up yet

    def batches(self, iteration: int) -> Iterator[Batch]:
        """Yield the batches of an iteration, each with the generator of its further draws."""
        request = self.request
        block, place = divmod(iteration, request.prefetch)
        seeds = [self._seed(block, turn) for turn in range(request.accumulate)]
        self.drawn = {seed: self.drawn[seed] for seed in seeds if seed in self.drawn}
        for seed in seeds:
            generator = torch.Generator(self.corpus.pixels.device).manual_seed(seed)
            if request.prefetch == 1:
                yield draw_batch(request, self.corpus, self.layers, generator), generator
                continue
            if seed not in self.drawn:
                many = replace(request, batch=request.batch * request.prefetch)
                self.drawn[seed] = draw_batch(many, self.corpus, self.layers, generator)
            rows = slice(place * request.batch, (place + 1) * request.batch)
            yield Source(*(part[rows] for part in self.drawn[seed])), generator.manual_seed(seed_of(seed, place))

    def _seed(self, block: int, turn: int) -> int:
        return seed_of(self.request.seed, (block * self.group.size + self.group.rank) * self.request.accumulate + turn)


def draw_batch(request: TrainRequest, corpus: Corpus, layers: Tensor | None, generator: torch.Generator) -> Source:
    """Return the pictures of one batch: pairs from the files, or clean crops degraded by the task's table."""
    crops = corpus.batch(request.batch, request.crop, np.random.default_rng(seed_of(generator.initial_seed(), b"crops")))
    if corpus.paired:
        return Source(crops[:, 3:], crops[:, :3], torch.zeros(len(crops), device=crops.device))
    return draw_source(request.task, crops, generator, layers, request.known)


def draw_times(start: Tensor, at_start: float, generator: torch.Generator) -> tuple[Tensor, int]:
    """Return times (B,) and how many of them, the first, are later than `start`; the share `at_start` stands there.

    The later ones are uniform between there and 1.
    """
    later = round(len(start) * (1 - at_start))
    draws = 0.98 * torch.rand(later, generator=generator, device=generator.device).to(start.device)
    return torch.cat([start[:later] + (1 - start[:later]) * draws, start[later:]]), later
