"""Seeds of draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from irflow_cli.images.picture import Picture
from irflow_cli.seeds import SEEDS, seed_of


@pytest.mark.parametrize("given", [0, 1, -1, 7, SEEDS - 1, 2**70])
@pytest.mark.parametrize("what", [(), (0,), (12, 0), (2**40, 3), (b"pixels",), (b"",)])
def test_seeds_fit_the_generators(given: int, what: tuple[int | bytes, ...]) -> None:
    seed = seed_of(given, *what)
    assert 0 <= seed < SEEDS
    assert seed == seed_of(given, *what)
    torch.Generator().manual_seed(seed)
    np.random.default_rng(seed)


def test_what_differs_has_another_seed() -> None:
    given = {seed_of(given, top, left) for given in range(6) for top in range(30) for left in range(30)}
    numbered = {seed_of(given, number) for given in range(6) for number in range(900)}
    assert len(given) == len(numbered) == len(given | numbered) // 2 == 5400


def test_first_draws_are_uniform() -> None:
    """Numbers that lie side by side give draws that have nothing to do with each other."""
    first = torch.stack([torch.rand(2, generator=torch.Generator().manual_seed(seed_of(0, n))) for n in range(2000)])
    spread = first.histc(10, 0, 1) / 400 - 1
    assert float(spread.abs().max()) < 0.25
    assert abs(float(torch.corrcoef(torch.stack([first[1:, 0], first[:-1, 0]]))[0, 1])) < 0.1


def test_draws_on_a_picture_belong_to_its_pixels_and_are_kept_from_version_to_version() -> None:
    """Measurements are kept by the draws on test pictures: another formula would make them void."""
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert Picture(pixels, None, "PNG").seed(3) == Picture(pixels.copy("F"), None, "TIFF").seed(3) == 3903147779485857
    assert Picture(pixels + 1, None, "PNG").seed(3) != Picture(pixels, None, "PNG").seed(3)
