"""Degradations for the benchmark alone. No checkpoint may ever be trained on them: they show what is left outside training.

They are made by other means than those of `degradations/`, which training draws from: other renderers of rain, noise that
is not independent from pixel to pixel, and mixtures. All are clipped to [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.degradations.jpeg import jpeg


@dataclass(frozen=True)
class Unseen:
    """One way to degrade a picture, the task that should mend it, and its severity, in the unit of its docstring."""

    task: str
    severity: float
    apply: Callable[[Tensor, Tensor, torch.Generator], Tensor]


def heavy_noise(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture with white noise of a standard deviation `severity` (0-255 scale), more than in training."""
    return (clean + severity / 255 * torch.randn(clean.shape, generator=generator)).clamp(0, 1)


def impulses(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture with a share `severity` of its pixels black or white."""
    draw = torch.rand((1, 1, *clean.shape[-2:]), generator=generator)
    return torch.where(draw < severity / 2, 0.0, torch.where(draw > 1 - severity / 2, 1.0, clean))


def speckle(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture times 1 + n, the deviation of n being `severity`."""
    return (clean * (1 + severity * torch.randn(clean.shape, generator=generator))).clamp(0, 1)


def bands(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture with rows lifted and lowered, as a sensor's readout does, and weak white noise; `severity` is the
    deviation of the rows on the 0-255 scale."""
    rows = torch.randn((1, 1, clean.shape[-2], 1), generator=generator)
    white = torch.randn(clean.shape, generator=generator)
    return (clean + severity / 255 * (rows + 0.5 * white)).clamp(0, 1)


def drawn_rain(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return rain of straight lines drawn one by one, each with its own blur; `severity` is their number per 1000 pixels."""
    height, width = clean.shape[-2:]
    layer = np.zeros((height, width), np.float32)
    count = int(float(severity) * height * width / 1000)
    slope = float(torch.rand(1, generator=generator)) - 0.5
    draws = torch.rand((count, 4), generator=generator).tolist()
    for x, y, size, bright in draws:
        length = 10 + 40 * size
        start = (int(x * width), int(y * height))
        end = (int(x * width + slope * length), int(y * height + length))
        cv2.line(layer, start, end, 0.3 + 0.5 * bright, 1 + int(size > 0.8), cv2.LINE_AA)
    return _add(clean, cv2.GaussianBlur(layer, (0, 0), 0.7)[..., None])


def blown_rain(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return rain of thresholded noise smeared along one direction, screened onto the picture; `severity` is the share of
    the noise that is kept, in percent."""
    height, width = clean.shape[-2:]
    noise = torch.rand((height, width), generator=generator).numpy()
    points = (noise > 1 - float(severity) / 100).astype(np.float32)
    size, angle = 31, 60 + 60 * float(torch.rand(1, generator=generator))
    smear = cv2.warpAffine(
        np.eye(1, size, size // 2, dtype=np.float32).repeat(size, 0),
        cv2.getRotationMatrix2D((size // 2, size // 2), angle - 90, 1),
        (size, size),
    )
    layer = torch.from_numpy(cv2.filter2D(points, -1, smear / smear.sum() * 6).clip(0, 0.8))
    return 1 - (1 - clean) * (1 - layer)


def wet_and_noisy(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return drawn rain, then noise of a standard deviation `severity` (0-255 scale), then JPEG of quality 60."""
    rainy = drawn_rain(clean, torch.tensor([2.0]), generator)
    noisy = rainy + severity / 255 * torch.randn(clean.shape, generator=generator)
    return jpeg(noisy.clamp(0, 1), torch.tensor([40.0]), generator)


def processed(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise of a standard deviation `severity` (0-255 scale) after what a telephone does to it: smoothed, sharpened, and
    compressed as WebP of quality 60."""
    noisy = clean + severity / 255 * torch.randn(clean.shape, generator=generator)
    pixels = (noisy[0].clamp(0, 1) * 255).permute(1, 2, 0).numpy()
    smooth = cv2.GaussianBlur(pixels, (0, 0), 0.8)
    sharp = (1.7 * smooth - 0.7 * cv2.GaussianBlur(smooth, (0, 0), 2)).clip(0, 255).round().astype(np.uint8)
    _, data = cv2.imencode(".webp", np.ascontiguousarray(sharp[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, 60])
    compressed = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    return torch.from_numpy(compressed).permute(2, 0, 1)[None] / 255


def lens_drops(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture behind round drops with sharp rims, each a sphere that shows what is around it upside down; `severity`
    is their number per 10 000 pixels."""
    height, width = clean.shape[-2:]
    pixels = clean[0].permute(1, 2, 0).numpy()
    count = max(4, int(float(severity) * height * width / 10_000))
    seen, wet = pixels.copy(), np.zeros((height, width), np.float32)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    for y, x, size in torch.rand((count, 3), generator=generator).tolist():
        centre, radius = (y * height, x * width), 6 + 18 * size
        offset = np.stack([rows - centre[0], columns - centre[1]])
        inside = np.hypot(*offset) < radius
        source = [axis * side - 3 * part for axis, side, part in zip((y, x), (height, width), offset, strict=True)]
        turned = cv2.remap(pixels, source[1], source[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        seen[inside] = 0.9 * turned[inside] + 0.08
        wet[inside] = 1
    cover = cv2.GaussianBlur(wet, (0, 0), 1.5)[..., None]
    return torch.from_numpy(pixels + cover * (cv2.GaussianBlur(seen, (0, 0), 1.0) - pixels)).permute(2, 0, 1)[None].clamp(0, 1)


def _add(clean: Tensor, layer: np.ndarray) -> Tensor:
    return (clean + torch.from_numpy(layer).permute(2, 0, 1)[None]).clamp(0, 1)


UNSEEN: dict[str, Unseen] = {
    "heavy-noise": Unseen("denoise", 75, heavy_noise),
    "impulses": Unseen("denoise", 0.03, impulses),
    "speckle": Unseen("denoise", 0.2, speckle),
    "bands": Unseen("denoise", 8, bands),
    "processed": Unseen("denoise", 25, processed),
    "lens-drops": Unseen("deraindrop", 3, lens_drops),
    "drawn-rain": Unseen("derain", 3, drawn_rain),
    "blown-rain": Unseen("derain", 1.5, blown_rain),
    "wet-and-noisy": Unseen("derain", 10, wet_and_noisy),
}
