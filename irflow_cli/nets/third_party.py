"""Third-party networks, so that their weights run here, written anew from how they work.

Each is called as ours are, (x_t, t, degraded), pictures in [0, 1] and t from degraded or noise (0) to clean (1). What its
authors do otherwise - the direction of time, the range of values, the order of channels - stays inside its `forward`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irflow_cli.nets.unet import mirror_up

HEADS, HEAD_WIDTH = 4, 32  # of LinearAttention


class OfficialUNet(nn.Module):
    """The network IR-Flow (arXiv 2604.19680) was published with: 137 million weights at width 64 and depth 4.

    It predicts the residual x_t - x_1, as ours do. Its time counts down in `thousandths`, and the published settings show it
    pictures as OpenCV reads them, blue first: `order` is "bgr" or "rgb".
    """

    def __init__(self, *, width: int, depth: int, order: str) -> None:
        super().__init__()
        self.width, self.order, self.multiple = width, order, 2**depth
        widths, embedding = [width * 2**level for level in range(depth + 1)], 4 * width
        steps = list(itertools.pairwise(widths))
        self.time = nn.Sequential(nn.Linear(width, embedding), nn.GELU(), nn.Linear(embedding, embedding))
        self.entry = nn.Conv2d(3, width, 7, padding=3, bias=False)

        def stage(source: int, wide: int) -> nn.ModuleList:
            blocks = (ModulatedBlock(source, wide, embedding) for _ in range(2))
            return _stage(blocks, (nn.Identity(), LinearAttention(wide)))

        self.encoder = nn.ModuleList(stage(fine, fine) for fine, _ in steps)
        self.decoder = nn.ModuleList(stage(coarse + fine, coarse) for fine, coarse in reversed(steps))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 4, 2, 1) for fine, coarse in steps[:-1])
        self.down.append(_plain(*steps[-1]))
        self.up = nn.ModuleList(DoublingConv(coarse, fine, 3, padding=1) for fine, coarse in reversed(steps[1:]))
        self.up.append(_plain(widths[1], widths[0]))
        deep = widths[-1]
        self.middle = _stage((ModulatedBlock(deep, deep, embedding) for _ in range(2)), (LinearAttention(deep), nn.Identity()))
        self.last = ModulatedBlock(2 * width, width, embedding)
        self.exit = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return the predicted residual x_t - x_1, shaped as x_t (B, 3, H, W); t is (B,), values on [0, 1]."""
        height, width = x_t.shape[-2:]
        picture = x_t.flip(1) if self.order == "bgr" else x_t
        time = self.time(sinusoids(thousandths(t), self.width))
        features = entry = self.entry(mirror_up(picture, self.multiple))
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


class PriorUNet(nn.Module):
    """The flow prior of PnP-Flow (arXiv 2410.02423), which Restora-Flow (arXiv 2511.20152) samples with too.

    It predicts the velocity x_1 - x_0 of the path from noise (t = 0) to a clean picture (t = 1). Its authors' pictures lie in
    [-1, 1] and their noise is standard normal: in our range that noise has mean 0.5 and standard deviation 0.5, and the
    velocity is half of theirs. attention: the levels that have it, 0 the finest. size: side of the pictures it was trained on.
    """

    def __init__(self, *, width: int, multipliers: tuple[int, ...], blocks: int, attention: tuple[int, ...], size: int) -> None:
        super().__init__()
        self.width, self.size, self.multiple = width, size, 2 ** (len(multipliers) - 1)
        widths, embedding = [width * multiplier for multiplier in multipliers], 4 * width
        self.time = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.entry = nn.Conv2d(3, width, 3, padding=1)

        def stage(level: int, sources: list[int]) -> nn.ModuleList:
            wide = widths[level]
            looks = (SelfAttention(wide) if level in attention else nn.Identity() for _ in sources)
            return _stage((NormedBlock(source, wide, embedding) for source in sources), looks)

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
        self.middle = _stage((NormedBlock(deep, deep, embedding) for _ in range(2)), (SelfAttention(deep), nn.Identity()))
        self.norm = _groups(widths[0])
        self.exit = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return the predicted velocity, shaped as x_t (B, 3, H, W); t is (B,), values on [0, 1]."""
        height, width = x_t.shape[-2:]
        time = self.time(sinusoids(t, self.width))
        multiple = self.multiple * (2 if max(height, width) <= self.multiple else 1)  # one pixel at the bottom has no variance
        skips = [self.entry(mirror_up(2 * x_t - 1, multiple).contiguous())]
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
        return self.exit(F.silu(self.norm(features)))[..., :height, :width] / 2


class ModulatedBlock(nn.Module):
    """OfficialUNet's block: two 3x3 convolutions, each before a SiLU; time scales and shifts the first one's result."""

    def __init__(self, source: int, wide: int, embedding: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(embedding, 2 * wide)
        self.first, self.second = _plain(source, wide), _plain(wide, wide)
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


class NormedBlock(nn.Module):
    """PriorUNet's block: twice group norm, SiLU and a 3x3 convolution; time is added in between."""

    def __init__(self, source: int, wide: int, embedding: int) -> None:
        super().__init__()
        self.time = nn.Linear(embedding, wide)
        self.norms = nn.ModuleList([_groups(source), _groups(wide)])
        self.first, self.second = nn.Conv2d(source, wide, 3, padding=1), nn.Conv2d(wide, wide, 3, padding=1)
        self.shortcut = nn.Identity() if source == wide else nn.Conv2d(source, wide, 1)

    def forward(self, features: Tensor, time: Tensor) -> Tensor:
        hidden = self.first(F.silu(self.norms[0](features))) + self.time(F.silu(time))[:, :, None, None]
        return self.shortcut(features) + self.second(F.silu(self.norms[1](hidden)))


class SelfAttention(nn.Module):
    """Attention of every pixel to every pixel, one head; added to its input."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.norm = _groups(wide)
        self.query, self.key, self.value, self.out = (nn.Conv2d(wide, wide, 1) for _ in range(4))

    def forward(self, features: Tensor) -> Tensor:
        normed = self.norm(features)
        query, key, value = (part(normed).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(query, key, value)  # (B, pixels, channels)
        return features + self.out(seen.transpose(1, 2).unflatten(2, features.shape[-2:]))


class DoublingConv(nn.Conv2d):
    """A convolution of the picture at twice its size, each pixel repeated."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(F.interpolate(input, scale_factor=2.0, mode="nearest"))


def thousandths(t: Tensor) -> Tensor:
    """Return the times (B,) that IR-Flow's network is asked at: whole thousandths, from 1000 (degraded) down to 0.

    The released trajectories cut fractions off: the second of six steps is asked at 833, the third at 666. What is added first
    keeps times that float32 puts a little below a whole number, such as 1 - 0.8, from losing one.
    """
    return (1000 * (1 - t) + 1e-3).floor()


def sinusoids(t: Tensor, width: int) -> Tensor:
    """Return sines, then cosines, of t (B,) at width / 2 frequencies from 1 down to 1/10000: (B, width)."""
    rate = math.log(10000) / (width // 2 - 1)
    angles = t[:, None] * torch.exp(-rate * torch.arange(width // 2, device=t.device))
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _stage(blocks: Iterable[nn.Module], attention: Iterable[nn.Module]) -> nn.ModuleList:
    """Return the blocks of one level, each with what looks at its features afterwards."""
    return nn.ModuleList(nn.ModuleList(pair) for pair in zip(blocks, attention, strict=True))


def _plain(source: int, wide: int) -> nn.Conv2d:
    return nn.Conv2d(source, wide, 3, padding=1, bias=False)


def _groups(wide: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, wide, eps=1e-6)
