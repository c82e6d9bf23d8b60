"""Where the mosaic of a sensor begins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn import scene

from irflow_cli.degradations.noise import demosaicked
from irflow_cli.engines.mosaic import mosaic_of


def noisy(sigma: float, mosaic: bool, seed: int = 0, size: tuple[int, int] = (256, 320)) -> np.ndarray:
    """Return a drawn scene with white noise, from the sensor's pattern or not."""
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal((1, 3, *size))).float()
    noise = demosaicked(noise) if mosaic else noise
    return np.clip(np.rint(scene(*size, seed) + sigma * noise[0].permute(1, 2, 0).numpy()), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [8, 16])
@pytest.mark.parametrize("begin", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "grey", "floating point"])
def test_the_first_pixel_of_a_mosaic_is_found(sigma: float, begin: tuple[int, int], kind: str) -> None:
    pixels = noisy(sigma, True)[begin[0] :, begin[1] :]
    if kind == "16 bits":
        pixels = pixels.astype(np.uint16) * 257
    elif kind == "grey":
        pixels = pixels.mean(2).astype(np.uint8)
    elif kind == "floating point":
        pixels = pixels.astype(np.float32) / 255
    assert mosaic_of(pixels) == begin


def test_it_is_found_in_the_middle_of_a_large_picture_of_any_size() -> None:
    large = noisy(8, True, size=(1100, 1303))
    assert [mosaic_of(large[top:, left:]) for top in (0, 1) for left in (0, 1)] == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("sigma", [0, 4, 25])
def test_noise_without_a_mosaic_has_none(sigma: float) -> None:
    assert [mosaic_of(noisy(sigma, False, seed)) for seed in range(4)] == [None] * 4
    assert [mosaic_of(noisy(sigma, False, seed, (40, 56))) for seed in range(40)] == [None] * 40


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (17, 17)])
def test_pictures_too_small_for_it_and_flat_ones_have_none(size: tuple[int, int]) -> None:
    assert mosaic_of(np.zeros((*size, 3), np.uint8)) is None
    assert mosaic_of(np.full(size, 7, np.uint8)) is None
