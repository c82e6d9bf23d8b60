"""The time-conditioned U-Net that predicts the residual x_t - x_1."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irflow_cli.nets.blocks import BLOCKS
from irflow_cli.nets.confidence import ConfidenceNet
from irflow_cli.nets.contract import Contract, Network, Spec, within

MIDDLE_GREY, TEXTURE, NOISE = 0.5, 0.25, 0.5  # mean of pictures and of a prior's noise, deviation of pictures, and of the noise

EXACT = ("time", "entry", "encoder.0.0.first")  # layers that see times and pixels at their full values, not differences


@dataclass(frozen=True)
class NetSpec(Spec):
    """The shape of irflow's own U-Net."""

    trainable: ClassVar[bool] = True
    net: str = "unet"
    channels: int = 3
    widths: tuple[int, ...] = (16, 32, 64, 128)
    depths: tuple[int, ...] = (2, 2, 4, 4)
    unshuffle: int = 1
    block: str = "conv"
    condition: bool = False
    time_map: bool = False
    embedding: int = 64
    confidence: int = 0

    def rules(self) -> dict[str, bool]:
        sizes = (*self.widths, *self.depths, self.channels, self.unshuffle, self.embedding)
        return {
            "block": self.block in BLOCKS,
            "widths": 1 <= len(self.widths) <= 6 and len(self.widths) == len(self.depths),
            "sizes": within(sizes, 1, 1024),
            "condition": isinstance(self.condition, bool),
            "time_map": isinstance(self.time_map, bool),
            "confidence": within((self.confidence,), 0, 64),
            "embedding": isinstance(self.embedding, int) and self.embedding % 2 == 0,
        }


class TimeEmbedding(nn.Module):
    """Sines and cosines of t in [0, 1] through a two-layer perceptron: (B,) -> (B, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # on the meta device this would load half of torch
        grid = torch.linspace(0, math.log(100.0), width // 2, device="cpu", dtype=torch.float32)
        frequencies = torch.exp(grid) * math.pi / 2
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, t: Tensor) -> Tensor:
        angles = t[:, None] * self.get_buffer("frequencies")  # (B, width / 2)
        return self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1))


class UNet(Network):
    """A U-Net of residual blocks behind an optional pixel-unshuffle.

    widths: channels of each level, finest first; depths: blocks of each level, on the way down and again on the way
    up (once at the bottom). With `condition` the degraded picture is a second input beside x_t. With `time_map` the network
    is that of a prior: it takes the time of every pixel, so that parts of the picture may be further on their way than others;
    its input is what the best linear guess makes of x_t, and its output, in units of that guess's error, corrects the guess.
    With `confidence`, its width, a second network lies beside it, which `forward` does not call and training does not move.
    Pictures of any height and width work: they are mirrored up to a multiple of `multiple` and cut back.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        widths, depths, embedding, unshuffle = spec.widths, spec.depths, spec.embedding, spec.unshuffle
        self.unshuffle, self.condition, self.time_map = unshuffle, spec.condition, spec.time_map
        deepest = unshuffle * 2 ** (len(widths) - 1)
        noise = (MIDDLE_GREY, NOISE)
        self.contract = Contract("residual", deepest, noise=noise, time_map=spec.time_map, condition=spec.condition)
        make = BLOCKS[spec.block]

        def stage(level: int) -> nn.ModuleList:
            return nn.ModuleList(make(widths[level], embedding) for _ in range(depths[level]))

        cells = spec.channels * unshuffle**2
        inputs = cells * (2 if spec.condition else 1) + (unshuffle**2 if spec.time_map else 0)
        self.time = TimeEmbedding(embedding)
        self.entry = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.exit = nn.Conv2d(widths[0], cells, 3, padding=1)
        self.encoder = nn.ModuleList(stage(level) for level in range(len(widths)))
        self.decoder = nn.ModuleList(stage(level) for level in range(len(widths) - 1))
        steps = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in steps)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in steps)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)  # type: ignore[arg-type]
        if spec.confidence:
            self.confidence = ConfidenceNet(spec.confidence)
        names = [name for name, _ in self.named_modules() if name in EXACT or name.endswith(".modulation")]
        self.contract = replace(self.contract, exact=tuple(names))

    def forward(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return the predicted residual x_t - x_1, shaped as x_t (B, C, H, W); t is (B,), values on [0, 1], or with `time_map`
        also (B, 1, H, W)."""
        height, width = x_t.shape[-2:]
        if self.condition:
            x_t = torch.cat([x_t, x_t if degraded is None else degraded], dim=1)
        state = gain = error = None
        if self.time_map:
            times = (t if t.ndim == 4 else t[:, None, None, None]).to(x_t)
            state, t = x_t - MIDDLE_GREY, times.amin((1, 2, 3))  # of the times alone, whatever the picture's size
            times = times.expand(-1, 1, height, width)
            gain, error = linear_guess(times)
            x_t = torch.cat([MIDDLE_GREY + gain * state, times], dim=1)
        x_t = self.contract.padded(x_t)
        features = self.entry(F.pixel_unshuffle(x_t, self.unshuffle) if self.unshuffle > 1 else x_t)
        time, skips = self.time(t), []
        for level, stage in enumerate(self.encoder):
            for block in stage:  # type: ignore[attr-defined]
                features = block(features, time)
            if level < len(self.down):
                skips.append(features)
                features = self.down[level](features)
        for level in reversed(range(len(self.decoder))):
            features = self.up[level](features) + skips.pop()
            for block in self.decoder[level]:  # type: ignore[attr-defined]
                features = block(features, time)
        output = self.exit(features)
        residual = (F.pixel_shuffle(output, self.unshuffle) if self.unshuffle > 1 else output)[..., :height, :width]
        if state is None or gain is None or error is None:
            return residual
        return (1 - gain) * state + error * residual


def linear_guess(t: Tensor) -> tuple[Tensor, Tensor]:
    """Return, by time, the factor of the best linear guess of a picture from x_t, and the guess's standard error.

    Pictures and noise have the mean MIDDLE_GREY, and the deviations TEXTURE and NOISE. The factor goes from 0 at t = 0, where
    there is noise alone, to 1 at t = 1, where the error is 0. It is the preconditioning of EDM (arXiv 2206.00364) on a straight
    path, but that the input is scaled by the same factor: what is noise alone comes in as nothing.
    """
    spread = (t * TEXTURE) ** 2 + ((1 - t) * NOISE) ** 2
    return t * TEXTURE**2 / spread, (1 - t) * TEXTURE * NOISE / spread.sqrt()
