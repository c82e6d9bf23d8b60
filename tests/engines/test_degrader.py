"""Degraded pictures keep the depth and the greys of their clean ones."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import scene

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.engines.degrader import degrade_picture
from irflow_cli.images.picture import Picture, as_depth


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("grey", [False, True])
def test_type_shape_and_range_stay(dtype: type, grey: bool) -> None:
    pixels = scene(30, 40)[..., 0] if grey else scene(30, 40)
    clean = Picture(np.ascontiguousarray(as_depth(pixels, np.dtype(dtype))), None, "PNG")
    noisy = degrade_picture(clean, "noise", 50, 0).pixels
    assert (noisy.dtype, noisy.shape) == (clean.pixels.dtype, clean.pixels.shape)
    assert 0 <= noisy.min() < noisy.max() <= clean.top
    assert not np.array_equal(noisy, clean.pixels)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_grey_photograph_in_colour_is_degraded_as_the_grey_one(kind: str) -> None:
    grey = np.ascontiguousarray(scene(30, 40)[..., 1])
    usual = DEGRADATIONS[kind].usual
    alone = degrade_picture(Picture(grey, None, "PNG"), kind, usual, 3).pixels
    coloured = degrade_picture(Picture(np.dstack([grey] * 3), None, "PNG"), kind, usual, 3).pixels
    assert np.array_equal(coloured, np.dstack([alone] * 3))
