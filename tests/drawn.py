"""What the tests work on: drawn pictures, and a network small enough for any test."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from irflow_cli.nets import NetSpec, UNet, build

TINY = NetSpec(widths=(8, 12), depths=(1, 1), embedding=8)


def lively(spec: NetSpec, seed: int = 0, std: float = 0.1) -> UNet:
    """Return a network in which nothing is zero as in a fresh one, so that its output says something."""
    torch.manual_seed(seed)
    net = build(spec)
    for parameter in net.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=std)
    return net.eval().requires_grad_(False)


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a drawn scene (H, W, 3) uint8: a sky, hills, a wall with bricks."""
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    noise = np.random.default_rng(seed)
    hill = 0.5 + 0.15 * np.sin(columns * 9 + seed) > rows
    sky = np.stack([0.4 + 0.3 * rows, 0.55 + 0.2 * rows, 0.9 - 0.2 * rows], axis=-1)
    bricks = 0.35 + 0.25 * ((np.floor(rows * 40) + np.floor(columns * 25)) % 2)[..., None] * np.array([1.0, 0.6, 0.4])
    picture = np.where(hill[..., None], sky, bricks) + 0.01 * noise.standard_normal((height, width, 1))
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> Path:
    """Write pixels into a file, in the format of its name, with the folders above it; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def scenes(count: int = 2, height: int = 96, width: int = 80, channels: int = 3) -> torch.Tensor:
    """Return different scenes as a batch (count, channels, H, W) on [0, 1]."""
    pictures = [torch.from_numpy(scene(height, width, seed)).permute(2, 0, 1) / 255 for seed in range(count)]
    return torch.stack(pictures)[:, :channels]


def seeded(seed: int = 0) -> torch.Generator:
    """Return a generator of its own."""
    return torch.Generator().manual_seed(seed)


def degraded(clean: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return pixels (H, W, C) uint8 under noise of deviation 12."""
    noise = np.random.default_rng(seed).normal(0, 12, clean.shape)
    return (clean + noise).clip(0, 255).round().astype(np.uint8)


def disc(height: int, width: int, radius: int, centre: tuple[int, int] | None = None) -> np.ndarray:
    """Return a round hole (H, W), bool; centre: column and row."""
    canvas = np.zeros((height, width), np.uint8)
    cv2.circle(canvas, centre or (width // 2, height // 2), radius, 1, -1)
    return canvas > 0


def png(seed: int) -> bytes:
    """Return a small scene as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(scene(24, 32, seed)).save(buffer, "PNG")
    return buffer.getvalue()
