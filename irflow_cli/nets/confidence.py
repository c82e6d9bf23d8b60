"""How far to believe what a restoration network changed: a second, small network that sees the whole picture at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHRUNK = 4  # times smaller than the picture, or half more, is what this network sees
CELL = 4  # pixels of that, of a side, for which there is one answer
MULTIPLE = 16  # sides of what it sees are multiples of it
CHANNELS = 9  # of its input: the picture, what was changed of it, how much, and the detail before and after
WIDTH = 16  # features at half of what it sees; at 1/4, 1/8 and 1/16 there are half as many more, and three quarters more


class ConfidenceNet(nn.Module):
    """A U-Net of `width` features from (B, CHANNELS, H, W), H and W multiples of MULTIPLE, to the logits of shares
    (B, H / CELL, W / CELL).

    A share is the part of the change that brings a picture nearest to the truth, 0 to 1. The mean of the deepest features
    is added to all of them, so that every place knows of the whole picture: drops come in numbers and look alike.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        widths = finest, fine, coarse, deepest = width, 3 * width // 2, 7 * width // 4, 7 * width // 4
        self.entry = nn.Conv2d(4 * CHANNELS, finest, 3, padding=1)
        steps = ((finest, fine), (fine, coarse), (coarse, deepest))
        self.down = nn.ModuleList(nn.Conv2d(source, wide, 3, stride=2, padding=1) for source, wide in steps)
        self.encoder = nn.ModuleList(Residual(wide) for wide in widths)
        self.overall = nn.Linear(deepest, deepest)
        self.merge = nn.ModuleList(
            nn.Conv2d(source + wide, wide, 3, padding=1) for source, wide in ((deepest, coarse), (coarse, fine))
        )
        self.decoder = nn.ModuleList(Residual(wide) for wide in (coarse, fine))
        self.exit = nn.Conv2d(fine, 1, 1)

    def forward(self, seen: Tensor) -> Tensor:
        features = self.encoder[0](F.silu(self.entry(F.pixel_unshuffle(seen, 2))))
        skips = []
        for down, block in zip(self.down, list(self.encoder)[1:], strict=True):
            skips.append(features)
            features = block(F.silu(down(features)))
        features = features + self.overall(features.mean((2, 3)))[:, :, None, None]
        for merge, block in zip(self.merge, self.decoder, strict=True):
            skip = skips.pop()
            features = F.interpolate(features, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            features = block(F.silu(merge(torch.cat([features, skip], dim=1))))
        return self.exit(features)[:, 0]


class Residual(nn.Module):
    """Normalise all features of a picture together, then two 3x3 convolutions around a SiLU; the input is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(F.silu(self.first(self.norm(features))))
