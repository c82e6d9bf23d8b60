"""Softer pictures: as much blur as a lens, a resizing or a hasty focus leaves."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import uniform

REACH = 5  # pixels on each side that a blur takes in
STRONGEST = 1.6  # standard deviation, pixels


def soften(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures (B, C, H, W), each blurred by a Gaussian of its own, of 0.3 to STRONGEST pixels.

    Rain that was resized or softened together with its picture equals soft rain over a soft picture, up to clipping. So
    this goes over the clean picture, before `soft_rain`, and a network learns to take rain from soft pictures without
    sharpening them.
    """
    count, channels, height, width = picture.shape
    sigma = uniform(0.3, STRONGEST, count, generator)[:, None]
    offset = torch.arange(-REACH, REACH + 1, device=generator.device)
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0).to(picture)
    planes = F.pad(picture.reshape(1, count * channels, height, width), [REACH] * 4, mode="replicate")
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=count * channels)
    planes = F.conv2d(planes, kernel[:, None, None, :], groups=count * channels)
    return planes.reshape(picture.shape)
