"""Super-resolution by a prior: a small picture is an observation of a large one, and the prior samples it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.engines.grey import as_colour, grey_of
from irflow_cli.engines.prior import Prior
from irflow_cli.engines.settings import ENLARGING, FULL_SCALE, OPERATOR, PRESETS, SamplerSettings, Schedule
from irflow_cli.engines.tiling import tiled
from irflow_cli.errors import ImageError, UsageError
from irflow_cli.flow.observations import OPERATORS, Observation, agreeing
from irflow_cli.images.picture import Picture, as_depth, top_of
from irflow_cli.kinds import check_kind
from irflow_cli.runtime.checkpoints import Checkpoint
from irflow_cli.tasks import MAX_PIXELS
from irflow_cli.tensors import array_of, tensor_of

TILE = 448  # pixels of a tile's side, of the large picture


def check(scale: int, operator: str) -> None:
    """Raise UsageError, in one line, for a scale or an operator that there is not."""
    check_kind("scale", scale, "int")
    check_kind("operator", operator, "str")
    if scale not in (2, 3, 4):
        raise UsageError(f"`scale` is 2, 3 or 4, got {scale}")
    if operator not in OPERATORS:
        raise UsageError(f"unknown `operator` {operator!r}; there are {', '.join(OPERATORS)}")


def remarks_on(picture: Picture) -> tuple[str, ...]:
    """Return what to tell the user of a picture that is enlarged."""
    return ("values beyond 0 to 1 were clipped",) if picture.beyond else ()


class Upscaler:
    """A prior, loaded once, that enlarges pictures."""

    def __init__(
        self, settings: SamplerSettings, scale: int, operator: str = OPERATOR, checkpoint: Checkpoint | None = None
    ) -> None:
        check(scale, operator)
        settings.check(ENLARGING)
        self.prior = Prior(settings, "means" if operator == "area" else "pixels", checkpoint)
        self.scale, self.operator = scale, operator

    def enlarge(
        self, picture: Picture, max_pixels: int = MAX_PIXELS, progress: Callable[[float], None] = lambda share: None
    ) -> Picture:
        """Return the picture `scale` times as high and wide. With `area` the means of its blocks are the picture's pixels, to
        within a grey level; with `grid` its every `scale`-th pixel is. So is alpha, enlarged by bicubic interpolation.

        It is done in tiles, whose weighted means agree with the picture as each does. `progress` gets the share that is done.
        """
        height, width = (side * self.scale for side in picture.pixels.shape[:2])
        if height * width > max_pixels:
            raise ImageError(f"would have {width} x {height} pixels, more than `max_pixels`; raise it, or cut the picture")
        grey = grey_of(picture)
        if grey is not None:
            return as_colour(self.enlarge(grey, max_pixels, progress))
        pixels = np.empty((height, width, *picture.pixels.shape[2:]), picture.pixels.dtype)
        generator = torch.Generator().manual_seed(picture.seed(self.prior.settings.seed))
        whole, grain = picture.unit(), 16 * self.scale  # tiles begin and end between pixels of the small picture

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            part = whole[top // self.scale : bottom // self.scale, left // self.scale : right // self.scale].clip(0, 1)
            return tensor_of(part.repeat(self.scale, 0).repeat(self.scale, 1))

        def work(part: Tensor) -> Tensor:
            return self._enlarged(part[..., :: self.scale, :: self.scale], generator)

        done = 0
        for top, left, block in tiled(work, read, height, width, TILE, grain, grain):
            values = as_depth(array_of(block.clamp(0, 1))[0], pixels.dtype)
            place = slice(top, top + values.shape[0]), slice(left, left + values.shape[1])
            pixels[place] = values if pixels.ndim == 3 else values[..., 0]
            done += block.shape[2] * block.shape[3]
            progress(done / (height * width))
        return replace(picture, pixels=pixels, alpha=None if picture.alpha is None else self._smooth(picture.alpha))

    def _enlarged(self, small: Tensor, generator: torch.Generator) -> Tensor:
        """Return a picture (1, 1 or 3, h, w) in [0, 1] `scale` times as large, on the CPU."""
        colour = small.expand(-1, 3, -1, -1)
        large = (small.shape[3] * self.scale, small.shape[2] * self.scale)
        guess = self._begun(colour, large, generator) if self.prior.schedule.start > 0 else None
        self.prior.worked += large[0] * large[1]
        observation = self._observed(colour, self.scale)
        found = self._sampled(observation, guess, generator)
        if small.shape[1] == 1:
            found = found.mean(1, keepdim=True).expand(-1, 3, -1, -1)
        found = found.clamp(0, 1) if observation.sigma else agreeing(observation, found)
        return found[:, : small.shape[1]].cpu()

    def _begun(self, colour: Tensor, large: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Return what a trajectory begins in: the picture (1, 3, h, w) enlarged by bicubic interpolation. More than twice, a
        prior that has learned to enlarge does it twice first: nothing it has learned as well."""
        if self.scale > 2 and self.prior.enlarges:
            guess = tensor_of(self._guess(array_of(colour)[0], (colour.shape[3] * 2, colour.shape[2] * 2)))
            twice = self._sampled(self._observed(colour, 2), guess, generator, PRESETS["auto"]["means"])
            colour = twice.clamp(0, 1).cpu()
        return tensor_of(self._guess(array_of(colour)[0], large))

    def _observed(self, colour: Tensor, scale: int) -> Observation:
        """Return a picture (1, 3, h, w) as what is known of one `scale` times as large."""
        return OPERATORS[self.operator](colour.to(self.prior.device), scale, self.prior.settings.sigma / FULL_SCALE)

    def _sampled(
        self, observation: Observation, guess: Tensor | None, generator: torch.Generator, chosen: Schedule | None = None
    ) -> Tensor:
        """Return the large picture as the prior samples it from a guess."""
        everywhere = torch.ones(observation.picture.shape[-2:], dtype=torch.bool)
        return self.prior.sample(observation, guess, everywhere, [generator], chosen).state

    def _smooth(self, small: np.ndarray) -> np.ndarray:
        """Return a channel (h, w) `scale` times as large by bicubic interpolation, agreeing with what it was, of its type."""
        values = small.astype(np.float32) / np.float32(top_of(small.dtype))
        guess = self._guess(values, (values.shape[1] * self.scale, values.shape[0] * self.scale))
        large = agreeing(OPERATORS[self.operator](tensor_of(values), self.scale), tensor_of(guess))
        return as_depth(large[0, 0].numpy(), small.dtype)

    def _guess(self, small: np.ndarray, large: tuple[int, int]) -> np.ndarray:
        """Return the picture (h, w, 3), or one channel (h, w), enlarged by bicubic interpolation; pixels of a grid stay."""
        if self.operator == "area":
            return cv2.resize(small, large, interpolation=cv2.INTER_CUBIC)
        stretch = np.array([[self.scale, 0, 0], [0, self.scale, 0]], np.float32)
        return cv2.warpAffine(small, stretch, large, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
