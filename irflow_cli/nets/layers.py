"""Layers that several third-party networks are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DoublingConv(nn.Conv2d):
    """A convolution of the picture at twice its size, each pixel repeated."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(F.interpolate(input, scale_factor=2.0, mode="nearest"))


def sinusoids(t: Tensor, width: int) -> Tensor:
    """Return sines, then cosines, of t (B,) at width / 2 frequencies from 1 down to 1/10000: (B, width)."""
    rate = math.log(10000) / (width // 2 - 1)
    angles = t[:, None] * torch.exp(-rate * torch.arange(width // 2, device=t.device))
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def stage_of(blocks: Iterable[nn.Module], attention: Iterable[nn.Module]) -> nn.ModuleList:
    """Return the blocks of one level, each with what looks at its features afterwards."""
    return nn.ModuleList(nn.ModuleList(pair) for pair in zip(blocks, attention, strict=True))


def plain_conv(source: int, wide: int) -> nn.Conv2d:
    return nn.Conv2d(source, wide, 3, padding=1, bias=False)


def group_norm(wide: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, wide, eps=1e-6)
