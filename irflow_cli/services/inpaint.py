"""Inpainting: picture and hole -> crops around the hole -> guided walks of a prior -> the hole's pixels, and no others."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import irflow_cli
from irflow_cli.errors import UsageError
from irflow_cli.flow.observations import masked
from irflow_cli.runtime.checkpoints import Checkpoint
from irflow_cli.runtime.images import Picture, as_depth, top_of
from irflow_cli.services.batch import Outcome, Progress, recoded, work_through
from irflow_cli.services.masks import Hole, MaskSettings, hole_of
from irflow_cli.services.planning import STREAM, Files, Job, plan
from irflow_cli.services.prior import Preset, Prior, WalkSettings

MARGIN = 48  # pixels of known picture around a hole that the prior sees
ALIGN = 32  # crops' sides are multiples of this where the picture is large enough, so that many share a size
BATCH_PIXELS = 448 * 448  # of the crops that are walked together
LARGE = 0.6  # share of a picture beyond which the filling is mostly made up
LONG, THIN, PIECE = 448, 0.05, 320  # sides and share of a part of the hole that is cut into pieces, and their largest sides
SHALLOW, DEEP = 2.0, 4.5  # pixels: so far from what is known the walk is best alone; how fast half the size gets better then
SMALLEST = 32  # pixels of a side from which on half the size is looked at
ONE_STEP = Preset("pixelwise", 1)  # from nothing: the mean of all pictures that agree with what is known


@dataclass(frozen=True)
class InpaintRequest:
    """Pictures to fill, where their holes are, how to walk, and how many proposals to make of each."""

    files: Files
    masks: MaskSettings
    walk: WalkSettings = field(default_factory=WalkSettings)
    samples: int = 1

    def plan(self) -> list[Job]:
        """Return the jobs, one for each proposal; raises UsageError and NothingToDo before any work is done."""
        self.masks.check()
        self.walk.check()
        if not 1 <= self.samples <= 100:
            raise UsageError(f"--samples goes from 1 to 100, got {self.samples}")
        if self.samples > 1 and str(STREAM) in (str(self.files.output), *self.files.inputs):
            raise UsageError("several --samples are several files, - is one; give files or folders")
        return plan(self.files, self.samples, self.masks.pair, self.masks.mask)

    def inpainter(self) -> Inpainter:
        """Return the prior that fills, loaded. Several proposals are walked as by `best` unless a preset is named: those of the
        default would be almost one. Raises UsageError for walks with one end, and as `Prior` does."""
        several = self.samples > 1
        found = Inpainter(replace(self.walk, preset=self.walk.preset or ("best" if several else None)))
        if several and not found.prior.draws:
            raise UsageError("this walk has one end, whatever the seed; for several --samples use --preset best")
        return found


@dataclass(frozen=True)
class Crop:
    """A box of the picture (top, bottom, left, right) around a connected part of the hole, inside (h, w), bool. Crops of one
    turn are filled without regard to each other; those of the next know what was filled."""

    top: int
    bottom: int
    left: int
    right: int
    inside: np.ndarray
    turn: int = 0

    @property
    def place(self) -> tuple[slice, slice]:
        """The box as an index of the picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Inpainter:
    """A prior, loaded once, that fills holes."""

    def __init__(self, walk: WalkSettings, checkpoint: Checkpoint | None = None) -> None:
        self.prior = Prior(walk, "pixels", checkpoint)

    def fill(
        self, picture: Picture, hole: Hole, seed: int = 0, progress: Callable[[float], None] = lambda share: None
    ) -> Picture:
        """Return the picture with the hole filled; pixels outside it, and alpha, are those of the picture, bit for bit.

        Grey stays grey, depth stays. What a crop becomes depends on the seed and on itself, not on what shares its turn.
        """
        pixels, missing = picture.pixels.copy(), hole.inside.copy()
        crops = crops_of(hole.inside)
        done, area = 0, sum(crop.inside.size for crop in crops)
        for turn in (list(same) for _, same in itertools.groupby(crops, key=lambda crop: crop.turn)):
            for group in _groups(turn):
                for crop, filling in zip(group, self._walked(pixels, missing, group, seed), strict=True):
                    new = filling[crop.inside].clip(0, 1)
                    new = new.mean(1) if pixels.ndim == 2 else new
                    pixels[crop.place][crop.inside] = new if pixels.dtype.kind == "f" else as_depth(new, pixels.dtype)
                    done += crop.inside.size
                progress(done / area)
            for crop in turn:
                missing[crop.place][crop.inside] = False
        self.prior.worked += area
        return picture.with_pixels(_faded(picture.pixels, pixels, hole))

    def _walked(self, pixels: np.ndarray, missing: np.ndarray, crops: list[Crop], seed: int) -> list[np.ndarray]:
        """Return crops of a picture's pixels, filled where they are missing (H, W), bool: (h, w, 3) in about [0, 1]. The crops
        are of one size."""
        holes = [missing[crop.place] for crop in crops]
        known = torch.from_numpy(~np.stack(holes))[:, None]
        parts = [_unit(pixels[crop.place], hole) for crop, hole in zip(crops, holes, strict=True)]
        generators, walk = [_generator(seed, crop) for crop in crops], self.prior.walk
        picture, found = _tensor(parts), None
        if walk.pyramid:
            found = self._pyramid(picture, known.float(), generators, walk if walk.start == 0 else ONE_STEP)
        elif walk.start > 0:
            found = _tensor([_guess(part, hole) for part, hole in zip(parts, holes, strict=True)])
        if walk.start > 0 or found is None:
            observation = masked(picture.to(self.prior.device), known.to(self.prior.device))
            needed = torch.from_numpy(np.logical_or.reduce([crop.inside for crop in crops]))
            found = self.prior.sample(observation, found, needed, generators).state.cpu()
        return list(found.permute(0, 2, 3, 1).numpy())

    def _pyramid(self, picture: Tensor, known: Tensor, generators: list[torch.Generator], walk: Preset) -> Tensor:
        """Return pictures (B, 3, H, W), known (B, 1, H, W) in part, filled coarse to fine: near to what is known by a walk from
        nothing, deep in a hole by what the same finds at half the size, where the hole is half as wide."""
        device, needed = self.prior.device, (known < 1).any(0)[0]
        near = self.prior.sample(masked(picture.to(device), known.to(device)), None, needed, generators, walk).state.cpu()
        share = torch.from_numpy(np.stack([_share_from_afar(one[0].numpy() < 1) for one in known]))[:, None]
        if not share.any() or min(picture.shape[2:]) < SMALLEST:
            return near
        seen = F.avg_pool2d(known, 2, ceil_mode=True)
        small = F.avg_pool2d(picture * known, 2, ceil_mode=True) / seen.clamp_min(1e-6)
        far = self._pyramid(small, (seen > 0).float(), generators, ONE_STEP).clamp(0, 1)
        far = F.interpolate(far, picture.shape[2:], mode="bicubic", align_corners=False).clamp(0, 1)
        return near + share * (far - near)


def crops_of(inside: np.ndarray, margin: int = MARGIN) -> list[Crop]:
    """Return crops that hold every pixel of the hole (H, W), bool, once, each with `margin` known pixels around where there are
    any, in the order of their turns; parts of the hole nearer than twice that share a crop, but for long thin ones, which are
    cut into pieces, one a turn."""
    x, y, wide, high = cv2.boundingRect(inside.view(np.uint8))
    top, left = max(0, y - margin), max(0, x - margin)
    near = inside[top : y + high + margin, left : x + wide + margin]  # the rest of a large picture is not looked at
    spread = cv2.dilate(near.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(spread, connectivity=8)
    crops = []
    for label in range(1, count):
        x, y, wide, high = (int(value) for value in boxes[label, :4])
        mine = near[y : y + high, x : x + wide] & (labels[y : y + high, x : x + wide] == label)
        long = mine.size > LONG**2 and mine.mean() < THIN
        for turn, (rows, columns) in enumerate(_pieces(mine) if long else [(slice(0, high), slice(0, wide))]):
            corner = top + y + rows.start, left + x + columns.start
            crops.append(_crop_around(mine[rows, columns], corner, inside.shape, margin, turn))
    return sorted(crops, key=lambda crop: crop.turn)


def _pieces(part: np.ndarray, top: int = 0, left: int = 0) -> Iterator[tuple[slice, slice]]:
    """Yield boxes that hold every pixel of a part (h, w), bool, once, counted from (-top, -left): the tight one around it or,
    while that is larger than PIECE, those of its halves."""
    rows, columns = (np.flatnonzero(part.any(axis)).tolist() for axis in (1, 0))
    if not rows:
        return
    upper, lower, near, far = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    height, width = lower - upper, far - near
    if max(height, width) <= PIECE:
        yield slice(top + upper, top + lower), slice(left + near, left + far)
    elif height >= width:
        middle = upper + height // 2
        yield from _pieces(part[:middle], top, left)
        yield from _pieces(part[middle:], top + middle, left)
    else:
        middle = near + width // 2
        yield from _pieces(part[:, :middle], top, left)
        yield from _pieces(part[:, middle:], top, left + middle)


def _crop_around(own: np.ndarray, corner: tuple[int, int], size: tuple[int, ...], margin: int, turn: int) -> Crop:
    """Return the crop that fills `own`, missing pixels (h, w), bool, from a corner on, of a picture of a size (H, W)."""
    spans = []
    for axis, start, length in zip((1, 0), corner, size, strict=True):
        there = np.flatnonzero(own.any(axis)) + start
        spans.append(_rounded(max(0, int(there[0]) - margin), min(length, int(there[-1]) + 1 + margin), length))
    (top, bottom), (left, right) = spans
    filled = np.zeros((bottom - top, right - left), bool)
    rows, columns = np.nonzero(own)
    filled[rows + corner[0] - top, columns + corner[1] - left] = True
    return Crop(top, bottom, left, right, filled, turn)


def _rounded(start: int, stop: int, length: int) -> tuple[int, int]:
    """Return the span made longer to a multiple of ALIGN, inside 0 to length."""
    size = min(length, -(-(stop - start) // ALIGN) * ALIGN)
    start = min(start, length - size)
    return start, start + size


def _groups(crops: list[Crop]) -> Iterator[list[Crop]]:
    """Yield crops of one size that are walked together."""

    def size(crop: Crop) -> tuple[int, int]:
        return crop.inside.shape  # type: ignore[return-value]

    for (high, wide), same in itertools.groupby(sorted(crops, key=size), key=size):
        together, most = list(same), max(1, BATCH_PIXELS // (high * wide))
        for start in range(0, len(together), most):
            yield together[start : start + most]


def _faded(old: np.ndarray, new: np.ndarray, hole: Hole) -> np.ndarray:
    """Return the new pixels, in the hole's feathered edge mixed with the old ones; `new` is written on."""
    if hole.weight is not None:
        edge = hole.inside & (hole.weight < 1)
        before, top = old[edge].astype(np.float64), top_of(old.dtype)
        weight = hole.weight[edge].reshape(-1, *[1] * (old.ndim - 2))
        mixed = before + weight * (new[edge] - before)
        new[edge] = mixed if old.dtype.kind == "f" else as_depth(mixed / top, old.dtype)
    return new


def _unit(part: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return a part of a picture, (h, w) or (h, w, 3), as (h, w, 3) float32 in [0, 1], black where it is missing."""
    part = (part if part.ndim == 3 else part[..., None]).astype(np.float32) / np.float32(top_of(part.dtype))
    return np.where(missing[..., None], np.float32(0), part.clip(0, 1).repeat(3 // part.shape[2], axis=2))


def _share_from_afar(missing: np.ndarray) -> np.ndarray:
    """Return how much of each pixel of a hole (H, W), bool, comes from the picture at half the size, float32, 0 to 1."""
    away = cv2.distanceTransform(missing.astype(np.uint8), cv2.DIST_L2, 5)
    return 1 - np.exp(-np.clip(away - SHALLOW, 0, None) / DEEP)


def _guess(part: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the crop with its hole filled by OpenCV (Telea), from the known pixels; middle grey where there are none."""
    if inside.all():
        return np.full_like(part, 0.5)
    filled = cv2.inpaint(as_depth(part.clip(0, 1), np.dtype(np.uint8)), inside.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.where(inside[..., None], filled.astype(np.float32) / 255, part)


def _tensor(parts: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2)


def _generator(seed: int, crop: Crop) -> torch.Generator:
    number = (seed * 0x9E3779B1 + crop.top * 0x85EBCA77 + crop.left * 0xC2B2AE3D + 1) % 2**63
    return torch.Generator().manual_seed(number)


def inpaint_files(
    request: InpaintRequest, progress: Progress = lambda done: None, stop: threading.Event | None = None
) -> Iterator[Outcome]:
    """Fill every picture of a request and yield what became of each. Raises before any work if it makes no sense."""
    jobs = request.plan()
    inpainter = request.inpainter()
    whole = any(Path(given).is_dir() for given in request.files.inputs)  # not single files out of more
    spare = request.masks.spare([job.mask for job in jobs], deep=request.files.recursive) if whole else []
    lost = [Outcome(Job(mask, mask), "failed", f"{mask}: no picture has its name; rename or move it") for mask in spare]
    if lost and request.files.fail_fast:
        return iter(lost[:1])
    masks = replace(request.masks, mask=None)  # a mask's content counts, not its name

    def work(job: Job, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        hole = hole_of(request.masks, picture, job.mask, request.files.max_pixels)
        notes, share = recoded(job, request.files, picture), float(hole.inside.mean())
        if picture.pixels.dtype.kind == "f" and (picture.pixels.min() < 0 or picture.pixels.max() > 1):
            notes += ("it has values beyond 0 to 1; what is filled in stays between",)
        if share > LARGE:
            notes += (f"{share:.0%} of it is missing; what is filled in is mostly made up",)
        filled = inpainter.fill(picture, hole, request.walk.seed + job.sample, progress)
        return replace(filled, alpha=None) if request.masks.from_alpha else filled, notes  # nothing is transparent any more

    prior = inpainter.prior
    identity = f"inpaint {masks} {prior.settings} {prior.checkpoint.card.to_json()} {irflow_cli.__version__}"
    done = work_through(jobs, work, request.files, identity, opaque=request.masks.from_alpha, progress=progress, stop=stop)
    return itertools.chain(lost, done)
