"""Pictures as values."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import scene

from irflow_cli.images.picture import Picture, as_depth, split_alpha, top_of, unit_of, upright

DEPTHS = [np.dtype(name) for name in ("uint8", "uint16", "float32")]


@pytest.mark.parametrize("wide", DEPTHS)
def test_eight_bits_come_back_from_every_depth(wide: np.dtype) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    there = as_depth(every, wide)
    assert (there.dtype, float(there.max())) == (wide, top_of(wide))
    assert np.array_equal(as_depth(there, every.dtype), every)
    assert np.abs(unit_of(there) - every / 255).max() < 1e-6


def test_floats_beyond_white_and_black_are_clipped() -> None:
    assert as_depth(np.array([-0.5, 0.5, 1.5], np.float32), np.dtype(np.uint8)).tolist() == [0, 128, 255]


@pytest.mark.parametrize(("channels", "shape"), [(0, (4, 5)), (2, (4, 5)), (3, (4, 5, 3)), (4, (4, 5, 3))])
def test_transparency_is_taken_apart(channels: int, shape: tuple[int, ...]) -> None:
    values = np.arange(4 * 5 * max(1, channels), dtype=np.uint8).reshape((4, 5, channels) if channels else (4, 5))
    picture = split_alpha(values, "PNG")
    assert picture.pixels.shape == shape
    if channels in (2, 4):
        assert picture.alpha is not None and np.array_equal(picture.alpha, values[..., -1])
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_is_undone(turn: int) -> None:
    from PIL import Image, ImageOps

    image = Image.fromarray(scene(5, 7))
    image.getexif()[0x0112] = turn
    assert np.array_equal(upright(scene(5, 7), turn), np.asarray(ImageOps.exif_transpose(image)))


def test_draws_hang_on_the_content_alone() -> None:
    one, same = (Picture(scene(8, 9), None, kind) for kind in ("PNG", "JPEG"))
    assert one.seed(3) == same.seed(3) != one.seed(4)
    assert one.seed(3) != one.with_pixels(scene(8, 9, 1)).seed(3)
