"""What is known of a picture, in the one form that guided samplers need: a projector and a picture it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Observation:
    """A measurement y = A x by a linear operator A, as its pseudo-inverse sees it.

    picture: A^+ y, (B, C, H, W). project: P = A^+ A, an orthogonal projector on such pictures; all that A sees of x is P x, and
    nothing else. So `x + picture - P x` is the nearest picture to x that agrees with the measurement, whatever A is. known: (B
    or 1, 1, H, W), 0 or 1, where A is a choice of pixels. sigma: deviation of the normal noise in `picture`, in its own range,
    the same in all directions that A sees.
    """

    picture: Tensor
    project: Callable[[Tensor], Tensor]
    known: Tensor | None = None
    sigma: float = 0.0

    def projected(self, x: Tensor, measured: Tensor | None = None) -> Tensor:
        """Return x with its known part replaced by that of `measured`, by default of the observation itself."""
        return x + self.project((self.picture if measured is None else measured) - x)


def masked(picture: Tensor, known: Tensor, sigma: float = 0.0) -> Observation:
    """Return the observation of `picture` (B, C, H, W), with noise of deviation `sigma`, where `known` (B or 1, 1, H, W),
    0 or 1, is 1."""
    known = known.to(picture)
    return Observation(picture * known, lambda x: x * known, known, sigma)


def pixel_grid(small: Tensor, scale: int, sigma: float = 0.0) -> Observation:
    """Return the observation of every `scale`-th pixel: the super-resolution of Restora-Flow, a mask of a regular grid.

    small: (B, C, h, w); the picture is `scale` times as high and wide.
    """
    count, channels, height, width = small.shape
    known = small.new_zeros((1, 1, height * scale, width * scale))
    known[..., ::scale, ::scale] = 1
    picture = small.new_zeros((count, channels, height * scale, width * scale))
    picture[..., ::scale, ::scale] = small
    return masked(picture, known, sigma)


def area_average(small: Tensor, scale: int, sigma: float = 0.0) -> Observation:
    """Return the observation of the means of blocks of `scale` x `scale` pixels, as a camera or a resized file has them.

    small: (B, C, h, w), its noise of deviation sigma. The pseudo-inverse of averaging is replication, and the directions that
    it fills are `scale` times as long as those of single pixels.
    """

    def replicated(values: Tensor) -> Tensor:
        return F.interpolate(values, scale_factor=scale, mode="nearest")

    return Observation(replicated(small), lambda x: replicated(F.avg_pool2d(x, scale)), None, sigma * scale)


def agreeing(observation: Observation, x: Tensor, rounds: int = 50) -> Tensor:
    """Return the values of x pulled into [0, 1] while the observation, which lies there itself, still holds to 1e-4.

    Alternating projections onto both sets; x is clipped at last, so a block that is almost white may miss by 1e-4.
    """
    for _ in range(rounds):
        clipped = x.clamp(0, 1)
        x = observation.projected(clipped)
        if float((x - clipped).abs().max()) < 1e-4:
            break
    return x.clamp(0, 1)


OPERATORS: dict[str, Callable[..., Observation]] = {"area": area_average, "grid": pixel_grid}


def normal_noise(
    shape: torch.Size | tuple[int, ...], generators: list[torch.Generator], mean: float = 0.5, deviation: float = 0.5
) -> Tensor:
    """Return the source of a prior's paths, (B, C, H, W). With mean and deviation a half it is standard normal on [-1, 1].

    Every sample has its own generator, so that a picture does not depend on the batch it is in.
    """
    draws = [torch.randn((1, *shape[1:]), generator=generator) for generator in generators]
    return torch.cat(draws) * deviation + mean
