"""Random draws, one value a sample."""

from __future__ import annotations

import pytest
import torch
from drawn import seeded

from irflow_cli.degradations.draw import chance, log_uniform, noise_like, smooth_map, uniform


def test_small_and_large_values_are_equally_likely_where_their_logarithm_is_uniform() -> None:
    plain, logarithmic = uniform(0.01, 1, 4000, seeded()), log_uniform(0.01, 1, 4000, seeded())
    for values, middle in ((plain, 0.505), (logarithmic, 0.1)):
        assert 0.01 <= float(values.min()) < float(values.max()) <= 1
        assert float((values < middle).float().mean()) == pytest.approx(0.5, abs=0.03)


def test_a_chance_is_one_as_often_as_it_says() -> None:
    draws = chance(0.3, 4000, seeded())
    assert set(draws.tolist()) == {0.0, 1.0}
    assert float(draws.mean()) == pytest.approx(0.3, abs=0.03)


def test_noise_is_like_the_picture() -> None:
    picture = torch.zeros(2, 3, 40, 50, dtype=torch.float64)
    noise = noise_like(picture, seeded())
    assert (noise.shape, noise.dtype) == (picture.shape, picture.dtype)
    assert float(noise.std()) == pytest.approx(1, abs=0.03)


def test_maps_have_bumps_and_no_grain() -> None:
    maps = smooth_map(20, 64, 48, 5, seeded())
    assert maps.shape == (20, 1, 64, 48)
    assert float(maps.mean()) == pytest.approx(0, abs=0.1)
    assert float(maps.diff(dim=2).abs().mean()) < 0.15 * float(maps.std())
