"""Damage of film."""

from __future__ import annotations

import numpy as np
import pytest

from irflow_cli.degradations import film

KINDS = [film.dust, film.hairs, film.lint, film.stains, film.film]


@pytest.mark.parametrize("kind", KINDS)
def test_damage_grows_with_the_scan(kind) -> None:
    """A scan of twice the size shows the same damage, of the same share of the picture."""

    def share(side: int) -> float:
        return float(np.mean([kind(side, side, np.random.default_rng(seed)).mean() for seed in range(24)]))

    small, large = share(200), share(400)
    assert 0.0005 < large < 0.3
    assert small == pytest.approx(large, rel=0.5)


def test_hairs_are_thin_and_stains_are_not() -> None:
    def thickness(hole: np.ndarray) -> float:
        """Return the share of the hole that stays when its rim is taken off."""
        inner = hole[1:-1, 1:-1] & hole[:-2, 1:-1] & hole[2:, 1:-1] & hole[1:-1, :-2] & hole[1:-1, 2:]
        return inner.sum() / max(1, hole.sum())

    hairs, stains = (
        [thickness(kind(400, 400, np.random.default_rng(seed))) for seed in range(8)] for kind in (film.hairs, film.stains)
    )
    assert np.median(hairs) < 0.65 < np.median(stains)
