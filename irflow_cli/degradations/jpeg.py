"""JPEG compression as a degradation, in tensors: nothing leaves the device."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.tensors import to_device

# Tables K.1 and K.2 of ITU-T T.81, which libjpeg scales by the quality.
LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)
YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))  # and back


def jpeg(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture JPEG-compressed at quality 100 - severity; severity 0 leaves it alone.

    No randomness: the generator is not used. Values are rounded to 8 bits first; colours are stored at half the size (4:2:0).
    """
    severity = severity.to(clean.device)
    compressed = compress(clean, (100 - severity).round().clamp(1, 100), torch.ones_like(severity, dtype=torch.bool))
    return torch.where(severity[:, None, None, None] > 0, compressed, clean)


def compress(image: Tensor, quality: Tensor, halved: Tensor) -> Tensor:
    """Return pictures (B, 1 or 3, H, W) in [0, 1] as they are after JPEG, rounded to 8 bits.

    quality: (B,), 1 to 100, with libjpeg's scale of the tables; halved: (B,) bool, colours at half the size (4:2:0) or not
    (4:4:4). Differs from libjpeg in the rounding inside its integer transforms alone.
    """
    height, width = image.shape[-2:]
    pixels = (image.clamp(0, 1) * 255).round()
    padded = F.pad(pixels, (0, -width % 16, 0, -height % 16), mode="replicate")
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    if image.shape[1] == 1:
        return _coded(padded, LUMA, scale)[..., :height, :width] / 255
    ycc = torch.einsum("ij,bjhw->bihw", to_device(YCC, image.device, image.dtype), padded).round()
    luma, chroma = _coded(ycc[:, :1], LUMA, scale), (ycc[:, 1:] + 128).clamp(0, 255)
    full = _coded(chroma, CHROMA, scale)
    half = _coded(F.avg_pool2d(chroma, 2).round(), CHROMA, scale)
    half = F.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False).round()
    chroma = torch.where(halved[:, None, None, None], half, full) - 128
    rgb = torch.einsum("ij,bjhw->bihw", to_device(RGB, image.device, image.dtype), torch.cat([luma, chroma], 1))
    return rgb.round().clamp(0, 255)[..., :height, :width] / 255


def _coded(plane: Tensor, table: tuple[tuple[int, ...], ...], scale: Tensor) -> Tensor:
    """Return planes (B, C, H, W) on the 0-255 scale, sides multiples of 8, after the blocks' coefficients were rounded."""
    count, channels, height, width = plane.shape
    steps = ((to_device(table, plane.device, plane.dtype) * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)  # (B, 8, 8)
    steps = steps[:, None, None, :, None, :]
    basis = to_device(_cosines(), plane.device, plane.dtype)
    blocks = (plane - 128).view(count, channels, height // 8, 8, width // 8, 8)
    coefficients = torch.einsum("ki,bcyixj,lj->bcykxl", basis, blocks, basis)
    coefficients = (coefficients / steps).round() * steps
    back = torch.einsum("ki,bcykxl,lj->bcyixj", basis, coefficients, basis)
    return (back.reshape(plane.shape) + 128).round().clamp(0, 255)


def _cosines() -> Tensor:
    """Return the orthonormal cosine transform of 8 values, (8, 8): frequencies by places."""
    rows = torch.arange(8.0)
    basis = torch.cos(math.pi / 8 * (rows[None, :] + 0.5) * rows[:, None]) / 2
    basis[0] /= math.sqrt(2)
    return basis
