"""Inpainting: picture and hole -> wide parts, and thin ones in grain, copied from elsewhere -> crops around what is left, seams
among it -> guided samples of a prior -> the hole's pixels alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.engines.crops import Crop, crops_of, groups_of
from irflow_cli.engines.exemplar import enough_around, exemplar_fill
from irflow_cli.engines.grey import grey_of
from irflow_cli.engines.holes import Hole, distance_to
from irflow_cli.engines.prior import Prior
from irflow_cli.engines.pyramid import Level, halvings_of, reach_of
from irflow_cli.engines.settings import FILLING, FULL_SCALE, SamplerSettings, Schedule
from irflow_cli.engines.views import mean_of_views
from irflow_cli.engines.wide import copied_parts
from irflow_cli.errors import ImageError
from irflow_cli.flow.coarse import GUESSED_AT
from irflow_cli.flow.observations import Observation, masked
from irflow_cli.images.picture import Picture, as_depth, top_of
from irflow_cli.runtime.checkpoints import Checkpoint
from irflow_cli.seeds import seed_of
from irflow_cli.tensors import array_of, tensor_of

COPYING = 0.5  # share of the work that copying is, as progress counts it
ONE_STEP = Schedule("pixelwise", 1)  # from nothing: the mean of all pictures that agree with what is known
LARGE, FAR = 0.6, 4  # share of a picture, and pixels from what is known, beyond which the filling is mostly made up


def remarks_on(picture: Picture, hole: Hole, hint: str = "") -> tuple[str, ...]:
    """Return what to tell the user of a picture and its hole. hint: what else to say of a hole that takes most of it."""
    notes, share = (), float(hole.inside.mean())
    if picture.beyond:
        notes += ("it has values beyond 0 to 1; what is filled in stays between",)
    if LARGE < share < 1 and np.median(distance_to(~hole.inside)[hole.inside]) > FAR:
        notes += (f"{share:.0%} of it is missing; what is filled in is mostly made up{hint}",)
    return notes


class Inpainter:
    """A prior, loaded once, that fills holes."""

    def __init__(self, settings: SamplerSettings, checkpoint: Checkpoint | None = None) -> None:
        settings.check(FILLING)
        self.prior = Prior(settings, "pixels", checkpoint)

    def fill(
        self, picture: Picture, hole: Hole, seed: int = 0, progress: Callable[[float], None] = lambda share: None
    ) -> Picture:
        """Return the picture with the hole filled; pixels outside it, and alpha, are those of the picture, bit for bit.

        Grey stays grey, also where it is stored as three equal channels; depth stays. Wide parts and those in grain are copied
        from the rest of the picture first, if the schedule says so and there is enough of it; of the wide ones the seams are
        left to the prior.
        What a crop becomes depends on the seed and on itself, not on what shares its turn. Raises ImageError for a picture
        that is missing as a whole.
        """
        if hole.inside.all():
            raise ImageError("all of it is missing: there is nothing to fill it from; is the mask the other way round?")
        pixels, missing = picture.pixels.copy(), hole.inside.copy()
        grey = pixels.ndim == 2 or grey_of(picture, ~missing) is not None
        begun = self._copy_parts(pixels, missing, grey, seed, progress)
        crops = crops_of(missing)
        done, area = 0, sum(crop.inside.size for crop in crops)
        for turn in (list(same) for _, same in itertools.groupby(crops, key=lambda crop: crop.turn)):
            for group in groups_of(turn):
                for crop, filling in zip(group, self._sampled(pixels, missing, group, seed), strict=True):
                    _put(pixels[crop.place], filling, crop.inside, grey)
                    done += crop.inside.size
                progress(begun + (1 - begun) * done / area)
            for crop in turn:
                missing[crop.place][crop.inside] = False
        self.prior.worked += area
        return picture.with_pixels(_faded(picture.pixels, pixels, hole))

    def _copy_parts(
        self, pixels: np.ndarray, missing: np.ndarray, grey: bool, seed: int, progress: Callable[[float], None]
    ) -> float:
        """Copy what the schedule wants copied of a hole (H, W), bool, into a picture's pixels, and leave its seams missing, but
        for those in grain. Return the share of the work that is done then."""
        if not self.prior.schedule.exemplar:
            return 0.0
        parts = list(copied_parts(missing, pixels))
        for number, part in enumerate(parts):
            lost = missing[part.place]
            crop = _unit(pixels[part.place], lost)
            if not enough_around(lost):
                continue
            corner = part.place[0].start, part.place[1].start
            drawn = seed_of(seed, *corner)
            filled = exemplar_fill(crop, lost, partial(self._guessed, drawn), drawn, self.prior.schedule.spared)
            if filled is None:
                continue
            _put(pixels[part.place], filled.pixels, part.inside, grey)
            missing[part.place] = lost & (~part.inside | filled.seams & ~part.grain)
            progress(COPYING * (number + 1) / len(parts))
        return COPYING if parts else 0.0

    def _guessed(self, seed: int, picture: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return what a small picture (H, W, 3), float32, known (H, W), bool, in part, may hold where it is missing."""
        if not self.prior.schedule.pyramid:
            return _guess(picture, ~known)
        generators = [torch.Generator().manual_seed(seed)]
        shown = torch.from_numpy(known)[None, None].float()
        level = Level(tensor_of(np.where(known[..., None], picture, np.float32(0))), shown, halvings=halvings_of(~known))
        return array_of(self._climbed(level, generators, ONE_STEP))[0].clip(0, 1)

    def _sampled(self, pixels: np.ndarray, missing: np.ndarray, crops: list[Crop], seed: int) -> list[np.ndarray]:
        """Return crops of a picture's pixels, filled where they are missing (H, W), bool: (h, w, 3) in about [0, 1]. The crops
        are of one size."""
        schedule, found = self.prior.schedule, None
        generators = [torch.Generator().manual_seed(seed_of(seed, crop.top, crop.left)) for crop in crops]
        levels = [_level_around(pixels, missing, crop, schedule.pyramid) for crop in crops]
        picture, known = (torch.cat(parts) for parts in zip(*(level.inner for level in levels), strict=True))
        if schedule.pyramid:
            found = self._coarse_to_fine(levels, generators, schedule if schedule.start == 0 else ONE_STEP)
        elif schedule.start > 0:
            parts = zip(array_of(picture), known[:, 0].numpy() < 1, strict=True)
            found = tensor_of(np.stack([_guess(part, hole) for part, hole in parts]))
        if schedule.start > 0 or found is None:
            needed = torch.from_numpy(np.logical_or.reduce([crop.inside for crop in crops]))
            found = self.prior.sample(self._seen(picture, known), found, needed, generators).state.cpu()
        return list(array_of(found))

    def _seen(self, picture: Tensor, known: Tensor) -> Observation:
        """Return what is known of pictures, with its noise, on the prior's device."""
        device = self.prior.device
        return masked(picture.to(device), known.to(device), self.prior.settings.sigma / FULL_SCALE)

    def _coarse_to_fine(self, levels: list[Level], generators: list[torch.Generator], schedule: Schedule) -> Tensor:
        """Return the inner parts of levels, (B, 3, h, w), filled: the mean over the schedule's views of all of the way. What
        one becomes does not depend on others."""
        filled = [level.inner[0] for level in levels]

        def kind(index: int) -> tuple[object, ...]:
            return levels[index].kind

        for _, same in itertools.groupby(sorted(range(len(levels)), key=kind), key=kind):
            together = list(same)
            level, draws = Level.together([levels[index] for index in together]), [generators[index] for index in together]
            for index, one in zip(together, self._from_all_views(level, draws, schedule).split(1), strict=True):
                filled[index] = one
        return torch.cat(filled)

    def _from_all_views(self, level: Level, generators: list[torch.Generator], schedule: Schedule) -> Tensor:
        """Return the mean of what `_climbed` does of the level in each of the schedule's views."""
        once = replace(schedule, views=1)
        return mean_of_views(lambda view: self._climbed(level.seen(view), generators, once), schedule.views)

    def _climbed(self, level: Level, generators: list[torch.Generator], schedule: Schedule) -> Tensor:
        """Return the inner part of a level, filled, begun in what is found so at half the size; the smallest begins in
        nothing."""
        picture, known = level.inner
        needed, guess = (known < 1).any(0)[0], None
        if not needed.any():
            return picture
        if (smaller := level.smaller()) is not None:
            guess = level.guess(self._climbed(smaller, 2 * generators, ONE_STEP))
            stop = schedule.stop if (schedule.stop or 0) > GUESSED_AT else None
            schedule = replace(schedule, start=GUESSED_AT, stop=stop, still=schedule.steps == 1)
        return self.prior.sample(self._seen(picture, known), guess, needed, generators, schedule).state.cpu()


def _faded(old: np.ndarray, new: np.ndarray, hole: Hole) -> np.ndarray:
    """Return the new pixels, in the hole's feathered edge mixed with the old ones; `new` is written on."""
    if hole.weight is not None:
        edge = hole.inside & (hole.weight < 1)
        before, top = old[edge].astype(np.float64), top_of(old.dtype)
        weight = hole.weight[edge].reshape(-1, *[1] * (old.ndim - 2))
        mixed = before + weight * (new[edge] - before)
        new[edge] = mixed if old.dtype.kind == "f" else as_depth(mixed / top, old.dtype)
    return new


def _put(pixels: np.ndarray, filling: np.ndarray, inside: np.ndarray, grey: bool) -> None:
    """Write a filling (h, w, 3) in [0, 1] to a picture's pixels, those that are inside (h, w), bool."""
    new = filling[inside].clip(0, 1)
    if grey:
        new = new.mean(1, keepdims=pixels.ndim == 3)
    pixels[inside] = new if pixels.dtype.kind == "f" else as_depth(new, pixels.dtype)


def _unit(part: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return a part of a picture, (h, w) or (h, w, 3), as (h, w, 3) float32 in [0, 1], black where it is missing."""
    part = (part if part.ndim == 3 else part[..., None]).astype(np.float32) / np.float32(top_of(part.dtype))
    return np.where(missing[..., None], np.float32(0), part.clip(0, 1).repeat(3 // part.shape[2], axis=2))


def _level_around(pixels: np.ndarray, missing: np.ndarray, crop: Crop, smaller: bool) -> Level:
    """Return a crop of a picture's pixels, missing (H, W), bool, in part, with what `smaller` levels of it see."""
    halvings = halvings_of(missing[crop.place]) if smaller else 0
    reach = reach_of(halvings)
    sides = ((crop.top, crop.bottom, missing.shape[0]), (crop.left, crop.right, missing.shape[1]))
    around = tuple((min(reach, start), min(reach, size - stop)) for start, stop, size in sides)
    rows, columns = (slice(start - less, stop + more) for (start, stop, _), (less, more) in zip(sides, around, strict=True))
    lost = missing[rows, columns]
    picture, known = tensor_of(_unit(pixels[rows, columns], lost)), torch.from_numpy(~lost)[None, None].float()
    return Level(picture, known, around, halvings)


def _guess(part: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the crop with its hole filled by OpenCV (Telea), from the known pixels; middle grey where there are none."""
    if inside.all():
        return np.full_like(part, 0.5)
    filled = cv2.inpaint(as_depth(part.clip(0, 1), np.dtype(np.uint8)), inside.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.where(inside[..., None], filled.astype(np.float32) / 255, part)
