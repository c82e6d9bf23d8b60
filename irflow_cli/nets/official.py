"""The network that IR-Flow was published with, written anew from how it works, so that its weights run here.

What its authors do otherwise, the direction of time and the order of channels, stays inside its `forward`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irflow_cli.nets.contract import Contract, Network, Spec, within
from irflow_cli.nets.layers import DoublingConv, plain_conv, sinusoids, stage_of

HEADS, HEAD_WIDTH = 4, 32  # of LinearAttention


@dataclass(frozen=True)
class OfficialSpec(Spec):
    """The shape of IR-Flow's published network (see `OfficialUNet`)."""

    unstated: ClassVar[tuple[str, ...]] = ("order",)
    net: str = "irflow-official"
    width: int = 64
    depth: int = 4
    order: str = "bgr"

    def rules(self) -> dict[str, bool]:
        return {
            "width": within((self.width,), 4, 512) and self.width % 2 == 0,
            "depth": within((self.depth,), 1, 6),
            "order": self.order in ("bgr", "rgb"),
        }


class OfficialUNet(Network):
    """The network IR-Flow (arXiv 2604.19680) was published with: 137 million weights at width 64 and depth 4.

    It predicts the residual x_t - x_1, as ours do. Its time counts down in `thousandths`, and the published settings show it
    pictures as OpenCV reads them, blue first: `order` is "bgr" or "rgb".
    """

    def __init__(self, spec: OfficialSpec) -> None:
        super().__init__()
        width, depth = spec.width, spec.depth
        self.width, self.order = width, spec.order
        self.contract = Contract("residual", multiple=2**depth)
        widths, embedding = [width * 2**level for level in range(depth + 1)], 4 * width
        steps = list(itertools.pairwise(widths))
        self.time = nn.Sequential(nn.Linear(width, embedding), nn.GELU(), nn.Linear(embedding, embedding))
        self.entry = nn.Conv2d(3, width, 7, padding=3, bias=False)

        def stage(source: int, wide: int) -> nn.ModuleList:
            blocks = (ModulatedBlock(source, wide, embedding) for _ in range(2))
            return stage_of(blocks, (nn.Identity(), LinearAttention(wide)))

        self.encoder = nn.ModuleList(stage(fine, fine) for fine, _ in steps)
        self.decoder = nn.ModuleList(stage(coarse + fine, coarse) for fine, coarse in reversed(steps))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 4, 2, 1) for fine, coarse in steps[:-1])
        self.down.append(plain_conv(*steps[-1]))
        self.up = nn.ModuleList(DoublingConv(coarse, fine, 3, padding=1) for fine, coarse in reversed(steps[1:]))
        self.up.append(plain_conv(widths[1], widths[0]))
        deep = widths[-1]
        self.middle = stage_of(
            (ModulatedBlock(deep, deep, embedding) for _ in range(2)), (LinearAttention(deep), nn.Identity())
        )
        self.last = ModulatedBlock(2 * width, width, embedding)
        self.exit = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return the predicted residual x_t - x_1, shaped as x_t (B, 3, H, W); t is (B,), values on [0, 1]."""
        height, width = x_t.shape[-2:]
        picture = x_t.flip(1) if self.order == "bgr" else x_t
        time = self.time(sinusoids(thousandths(t), self.width))
        features = entry = self.entry(self.contract.padded(picture))
        skips = []
        for stage, down in zip(self.encoder, self.down, strict=True):
            for block, attention in stage:  # type: ignore[attr-defined]
                features = attention(block(features, time))
                skips.append(features)
            features = down(features)
        for block, attention in self.middle:  # type: ignore[attr-defined]
            features = attention(block(features, time))
        for stage, up in zip(self.decoder, self.up, strict=True):
            for block, attention in stage:  # type: ignore[attr-defined]
                features = attention(block(torch.cat([features, skips.pop()], dim=1), time))
            features = up(features)
        features = self.last(torch.cat([features, entry], dim=1), time)
        residual = self.exit(features)[..., :height, :width]
        return residual.flip(1) if self.order == "bgr" else residual


class ModulatedBlock(nn.Module):
    """OfficialUNet's block: two 3x3 convolutions, each before a SiLU; time scales and shifts the first one's result."""

    def __init__(self, source: int, wide: int, embedding: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(embedding, 2 * wide)
        self.first, self.second = plain_conv(source, wide), plain_conv(wide, wide)
        self.shortcut = nn.Identity() if source == wide else nn.Conv2d(source, wide, 1, bias=False)

    def forward(self, features: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.modulation(F.silu(time))[:, :, None, None].chunk(2, dim=1)
        hidden = F.silu(self.first(features) * (1 + scale) + shift)
        return F.silu(self.second(hidden)) + self.shortcut(features)


class LinearAttention(nn.Module):
    """Attention whose cost grows with the number of pixels, not with its square; added to its input."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.norm, self.out_norm = ChannelNorm(wide), ChannelNorm(wide)
        self.qkv = nn.Conv2d(wide, 3 * inner, 1, bias=False)
        self.out = nn.Conv2d(inner, wide, 1)

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        query, key, value = self.qkv(self.norm(features)).unflatten(1, (3, HEADS, HEAD_WIDTH)).flatten(4).unbind(1)
        context = key.softmax(-1) @ value.transpose(-1, -2) / (height * width)  # (B, heads, width of key, width of value)
        seen = context.transpose(-1, -2) @ query.softmax(-2) * HEAD_WIDTH**-0.5  # (B, heads, width of value, pixels)
        return features + self.out_norm(self.out(seen.flatten(1, 2).unflatten(-1, (height, width))))


class ChannelNorm(nn.Module):
    """Mean 0 and variance 1 over the channels of each pixel, times a gain."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, wide, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        variance, mean = torch.var_mean(features, dim=1, correction=0, keepdim=True)
        return (features - mean) * (variance + 1e-5).rsqrt() * self.gain


def thousandths(t: Tensor) -> Tensor:
    """Return the times (B,) that IR-Flow's network is evaluated at: whole thousandths, from 1000 (degraded) down to 0.

    The released trajectories cut fractions off: the second of six steps is at 833, the third at 666. What is added first
    keeps times that float32 puts a little below a whole number, such as 1 - 0.8, from losing one.
    """
    return (1000 * (1 - t) + 1e-3).floor()
