"""The flow prior of PnP-Flow and Restora-Flow, written anew from how it works, so that its weights run here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irflow_cli.nets.contract import Contract, Network, Spec, mirror_up, within
from irflow_cli.nets.layers import DoublingConv, group_norm, sinusoids, stage_of


@dataclass(frozen=True)
class PriorSpec(Spec):
    """The shape of the flow prior of PnP-Flow and Restora-Flow (see `PriorUNet`)."""

    unstated: ClassVar[tuple[str, ...]] = ("size",)
    net: str = "flow-prior"
    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 4, 8)
    blocks: int = 6
    attention: tuple[int, ...] = (3,)
    size: int = 128

    def rules(self) -> dict[str, bool]:
        levels = len(self.multipliers)
        return {
            "width": within((self.width,), 32, 512) and self.width % 32 == 0,
            "multipliers": 1 <= levels <= 6 and within(self.multipliers, 1, 32),
            "blocks": within((self.blocks,), 1, 32),
            "attention": not self.attention or within(self.attention, 0, levels - 1),
            "size": within((self.size,), 2 ** (levels - 1), 4096),
        }


class PriorUNet(Network):
    """The flow prior of PnP-Flow (arXiv 2410.02423), which Restora-Flow (arXiv 2511.20152) samples with too.

    It predicts the velocity x_1 - x_0 of the path from noise (t = 0) to a clean picture (t = 1). Pictures lie in [-1, 1]
    and the noise is standard normal: on [0, 1] that noise has mean 0.5 and standard deviation 0.5. attention: the levels
    that have it, 0 the finest. size: side of the pictures it was trained on.
    """

    def __init__(self, spec: PriorSpec) -> None:
        super().__init__()
        width, multipliers, blocks = spec.width, spec.multipliers, spec.blocks
        self.width = width
        # Its group norms are a digit less exact with the channels last, and no quicker.
        deepest = 2 ** (len(multipliers) - 1)
        self.contract = Contract("velocity", multiple=deepest, range=(-1.0, 1.0), size=spec.size, channels_last=False)
        widths, embedding = [width * multiplier for multiplier in multipliers], 4 * width
        self.time = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.entry = nn.Conv2d(3, width, 3, padding=1)

        def stage(level: int, sources: list[int]) -> nn.ModuleList:
            wide = widths[level]
            looks = (SelfAttention(wide) if level in spec.attention else nn.Identity() for _ in sources)
            return stage_of((NormedBlock(source, wide, embedding) for source in sources), looks)

        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        below, skips = width, [width]
        for level, wide in enumerate(widths):
            self.encoder.append(stage(level, [below] + [wide] * (blocks - 1)))
            skips += [wide] * (blocks + (level < len(widths) - 1))
            below = wide
        for level, wide in reversed(list(enumerate(widths))):
            self.decoder.append(stage(level, [(wide if index else below) + skips.pop() for index in range(blocks + 1)]))
            below = wide
        deep = widths[-1]
        self.down = nn.ModuleList(nn.Conv2d(wide, wide, 3, 2, 1) for wide in widths[:-1])
        self.up = nn.ModuleList(DoublingConv(wide, wide, 3, padding=1) for wide in reversed(widths[1:]))
        self.middle = stage_of((NormedBlock(deep, deep, embedding) for _ in range(2)), (SelfAttention(deep), nn.Identity()))
        self.norm = group_norm(widths[0])
        self.exit = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return the predicted velocity, shaped as x_t (B, 3, H, W); t is (B,), values on [0, 1]."""
        height, width = x_t.shape[-2:]
        time = self.time(sinusoids(t, self.width))
        deepest = self.contract.multiple
        multiple = deepest * (2 if max(height, width) <= deepest else 1)  # one pixel at the bottom has no variance
        skips = [self.entry(mirror_up(x_t, multiple).contiguous())]
        for level, stage in enumerate(self.encoder):
            for block, attention in stage:  # type: ignore[attr-defined]
                skips.append(attention(block(skips[-1], time)))
            if level < len(self.down):
                skips.append(self.down[level](skips[-1]))
        features = skips[-1]
        for block, attention in self.middle:  # type: ignore[attr-defined]
            features = attention(block(features, time))
        for level, stage in enumerate(self.decoder):
            for block, attention in stage:  # type: ignore[attr-defined]
                features = attention(block(torch.cat([features, skips.pop()], dim=1), time))
            if level < len(self.up):
                features = self.up[level](features)
        return self.exit(F.silu(self.norm(features)))[..., :height, :width]


class NormedBlock(nn.Module):
    """PriorUNet's block: twice group norm, SiLU and a 3x3 convolution; time is added in between."""

    def __init__(self, source: int, wide: int, embedding: int) -> None:
        super().__init__()
        self.time = nn.Linear(embedding, wide)
        self.norms = nn.ModuleList([group_norm(source), group_norm(wide)])
        self.first, self.second = nn.Conv2d(source, wide, 3, padding=1), nn.Conv2d(wide, wide, 3, padding=1)
        self.shortcut = nn.Identity() if source == wide else nn.Conv2d(source, wide, 1)

    def forward(self, features: Tensor, time: Tensor) -> Tensor:
        hidden = self.first(F.silu(self.norms[0](features))) + self.time(F.silu(time))[:, :, None, None]
        return self.shortcut(features) + self.second(F.silu(self.norms[1](hidden)))


class SelfAttention(nn.Module):
    """Attention of every pixel to every pixel, one head; added to its input."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.norm = group_norm(wide)
        self.query, self.key, self.value, self.out = (nn.Conv2d(wide, wide, 1) for _ in range(4))

    def forward(self, features: Tensor) -> Tensor:
        normed = self.norm(features)
        query, key, value = (part(normed).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(query, key, value)  # (B, pixels, channels)
        return features + self.out(seen.transpose(1, 2).unflatten(2, features.shape[-2:]))
