"""Residual blocks of the U-Net. A block keeps the shape of its features and is steered by a time embedding.

A fresh block passes its features on unchanged, so that blocks added to a trained network leave it what it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Module):
    """Two 3x3 convolutions around a ReLU; time scales and shifts the features in between."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * width)
        _silence(self.second)

    def forward(self, features: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.modulation(time)[:, :, None, None].chunk(2, dim=1)
        hidden = F.relu(self.first(features), inplace=True)
        return features + self.second(torch.addcmul(shift.to(hidden), hidden, (1 + scale).to(hidden)))


class NAFBlock(nn.Module):
    """A block of the NAFNet kind (arXiv 2204.04676): normalise, depthwise 3x3, gate, channel attention, gated MLP.

    Differs in that time scales and shifts both normalised features, and in a GroupNorm of one group, which keeps the
    channels-last layout, in place of the LayerNorm over channels.
    """

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(2))
        self.spread = nn.Conv2d(width, 2 * width, 1)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.attention = nn.Conv2d(width, width, 1)
        self.merge = nn.Conv2d(width, width, 1)
        self.mlp_in = nn.Conv2d(width, 2 * width, 1)
        self.mlp_out = nn.Conv2d(width, width, 1)
        self.modulation = nn.Linear(embedding, 4 * width)
        _silence(self.merge)
        _silence(self.mlp_out)

    def forward(self, features: Tensor, time: Tensor) -> Tensor:
        scale_a, shift_a, scale_b, shift_b = self.modulation(time)[:, :, None, None].chunk(4, dim=1)
        left, right = self.depthwise(self.spread(self.norms[0](features) * (1 + scale_a) + shift_a)).chunk(2, dim=1)
        gated = left * right
        features = features + self.merge(gated * self.attention(gated.mean((2, 3), keepdim=True)))
        left, right = self.mlp_in(self.norms[1](features) * (1 + scale_b) + shift_b).chunk(2, dim=1)
        return features + self.mlp_out(left * right)


def _silence(layer: nn.Conv2d) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


BLOCKS: dict[str, type[ConvBlock] | type[NAFBlock]] = {"conv": ConvBlock, "naf": NAFBlock}
