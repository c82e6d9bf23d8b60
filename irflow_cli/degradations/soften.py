"""Softer pictures: as much blur as a lens, a resizing or a hasty focus leaves, and what lies out of a lens's focus."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import blurred, chance, log_uniform, smooth_map, uniform
from irflow_cli.degradations.raindrops import out_of_focus
from irflow_cli.tensors import match_dims

REACH = 5  # pixels on each side that a blur takes in
STRONGEST = 1.6  # standard deviation, pixels
WIDEST = 24  # pixels: the radius of the circle of confusion that `defocus` draws at the most


def soften(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures (B, C, H, W), each blurred by a Gaussian of its own, of 0.3 to STRONGEST pixels.

    Rain that was resized or softened together with its picture equals soft rain over a soft picture, up to clipping. So
    this goes over the clean picture, before `soft_rain`, and a network learns to take rain from soft pictures without
    sharpening them.
    """
    return blurred(picture, uniform(0.3, STRONGEST, len(picture), generator), REACH)


def defocus(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures (B, C, H, W) in [0, 1], each with parts, or in a third of them all of it, out of focus.

    A lens spreads what lies far behind its plane of focus over circles of 2 to WIDEST pixels in radius, in linear light, while
    what stands before that is sharp. Such backgrounds are no drops and no veil, though soft and pale like them, so this goes
    over the clean picture (hard negatives for `raindrops`).
    """
    count, _, height, width = picture.shape
    light = picture.to(generator.device).float().square()  # near enough to linear light
    room = min(WIDEST, height - 1, width - 1)
    around = F.pad(light, [room] * 4, mode="reflect")
    blurred = out_of_focus(around, log_uniform(2, WIDEST, count, generator), generator)
    blurred = blurred[..., room : room + height, room : room + width].clamp(1e-8, 1)
    edge = match_dims(log_uniform(3, 60, count, generator), light)  # how steeply the sharp parts begin
    level = match_dims(uniform(-1, 1, count, generator) - 9 * chance(1 / 3, count, generator), light)
    near = torch.sigmoid(edge * (smooth_map(count, height, width, 4, generator) + level))
    return torch.lerp(blurred, light, near).clamp(1e-8, 1).sqrt().to(picture)
