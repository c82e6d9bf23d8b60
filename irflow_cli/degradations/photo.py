"""Noise of a photograph as it is saved: of a sensor, demosaicked, colour-corrected, smoothed, resized, compressed; film grain.

Everything happens in whole batches on the generator's device, and nothing is read back from it.
Sources: Brooks et al., arXiv 1811.11127 (raw noise); Zhang et al., arXiv 2203.13278, and Wang et al., arXiv 2103.14006 (what
follows it). Differs: noise and picture go through the steps apart, so that the noise keeps the given deviation.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import blurred, chance, log_uniform, uniform
from irflow_cli.degradations.jpeg import RGB, YCC, compress
from irflow_cli.degradations.noise import demosaicked
from irflow_cli.tensors import to_device

RADIUS = 7  # pixels that a smoothing of the noise reaches


def photo(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return photographs (B, 1 or 3, H, W) with the noise of a camera, as it is saved. Clipped and rounded to 8 bits.

    severity (B,) is the standard deviation of the noise over the whole picture, 0-255 scale, before JPEG. Read noise, colour
    gains, tone curve, smoothing in the camera, the size at which it was stored, and the JPEG's quality differ from picture to
    picture; one in four is no JPEG.
    """
    count, _, height, width = clean.shape
    x = clean.to(generator.device).expand(-1, 3, -1, -1)
    noise = torch.randn((count, 3, height, width), generator=generator, device=x.device)
    noise = _either(chance(0.85, count, generator), demosaicked(noise), noise)

    # The variance of raw noise grows with the light; the tone curve stretches shadows and squeezes highlights.
    green = torch.ones(count, device=x.device)
    gains = torch.stack([uniform(1.3, 2.4, count, generator), green, uniform(1.2, 2.2, count, generator)], 1)[..., None, None]
    read = _each(log_uniform(2e-3, 0.15, count, generator))
    foot = _each(uniform(0.1, 0.35, count, generator))
    gamma = 2.2
    noise = noise * (x.clamp(0, 1) ** gamma / gains + read).sqrt() * gains
    noise = torch.einsum("bij,bjhw->bihw", _colour_matrix(uniform(0, 0.45, count, generator)), noise)
    noise = noise / (gamma * torch.maximum(x, foot) ** (gamma - 1))

    # In the camera colours are smoothed more than brightness.
    ycc = torch.einsum("ij,bjhw->bihw", to_device(YCC, x.device, x.dtype), noise)
    smoothed = chance(0.65, count, generator)
    luma = blurred(ycc[:, :1], uniform(0.2, 1.0, count, generator) * chance(0.5, count, generator) * smoothed, RADIUS)
    chroma = blurred(ycc[:, 1:], uniform(0.3, 2.5, count, generator) * smoothed, RADIUS)
    chroma = chroma * _each(1 + smoothed * (uniform(0.5, 1.2, count, generator) - 1))
    noise = torch.einsum("ij,bjhw->bihw", to_device(RGB, x.device, x.dtype), torch.cat([luma, chroma], 1))

    noise = _enlarged(noise, 1 + chance(0.4, count, generator) * (log_uniform(1, 2.4, count, generator) - 1), generator)
    return _stored(clean, noise, severity, generator, share=0.75)


def grain(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return photographs (B, 1 or 3, H, W) with the grain of scanned film. Clipped and rounded to 8 bits.

    severity (B,) is the standard deviation over the whole picture, 0-255 scale. Grain is soft, some pixels wide, strongest in
    the middle tones, and more of it is common to the three layers of colour than not.
    """
    count, _, height, width = clean.shape
    x = clean.to(generator.device).expand(-1, 3, -1, -1)
    shared = torch.randn((count, 1, height, width), generator=generator, device=x.device)
    own = torch.randn((count, 3, height, width), generator=generator, device=x.device)
    mix = _each(uniform(0.0, 0.7, count, generator))
    noise = (1 - mix**2).sqrt() * shared + mix * own
    noise = blurred(noise, uniform(0.3, 1.6, count, generator), RADIUS)
    tone = x.clamp(0, 1)
    noise = noise * (0.25 + 4 * tone * (1 - tone)).sqrt()
    return _stored(clean, noise, severity, generator, share=0.6)


def _stored(clean: Tensor, noise: Tensor, severity: Tensor, generator: torch.Generator, share: float) -> Tensor:
    """Return `clean` plus the noise, scaled to its severity, rounded to 8 bits, a `share` of the pictures as JPEG."""
    count, channels = clean.shape[:2]
    noise = noise.mean(1, keepdim=True) if channels == 1 else noise
    strength = _each(severity.to(noise) / 255)
    noise = noise * (strength / noise.std((1, 2, 3), keepdim=True).clamp_min(1e-6))
    noisy = ((clean.to(noise) + noise).clamp(0, 1) * 255).round() / 255
    quality, halved = uniform(55, 99, count, generator), chance(0.5, count, generator)
    compressed = compress(noisy, quality.round(), halved > 0)
    noisy = _either(chance(share, count, generator), compressed, noisy)
    return torch.where(strength > 0, noisy, clean.to(noise)).to(clean)


def _colour_matrix(strength: Tensor) -> Tensor:
    """Return matrices (B, 3, 3) whose rows sum to one, which make colours purer the larger `strength` (B,) is."""
    spill = to_device([[0.3, 0.7, 0.0], [0.5, 0.0, 0.5], [0.0, 0.8, 0.2]], strength.device, strength.dtype)
    eye = torch.eye(3, device=strength.device)
    return eye + strength[:, None, None] * (eye - spill)


def _enlarged(noise: Tensor, scale: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise (B, C, H, W) as it is in pictures made larger by `scale` (B,) of 1 or more: coarser, cut from within."""
    count = len(scale)
    room = 1 - 1 / scale
    matrix = torch.zeros((count, 2, 3), device=noise.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1 / scale
    matrix[:, 0, 2] = room * uniform(-1, 1, count, generator)
    matrix[:, 1, 2] = room * uniform(-1, 1, count, generator)
    grid = F.affine_grid(matrix, list(noise.shape), align_corners=False)
    larger = F.grid_sample(noise, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return _either((scale > 1).to(noise), larger, noise)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _either(chosen: Tensor, these: Tensor, those: Tensor) -> Tensor:
    """Return the pictures of `these` where `chosen` (B,) is above 0, of `those` elsewhere."""
    return torch.where(_each(chosen) > 0, these, those)
