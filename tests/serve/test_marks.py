"""Colours and files that mark a hole."""

from __future__ import annotations

import numpy as np
import pytest

from irflow_cli.errors import ImageError, UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.serve.marks import bits_of_file, mask_file, near_colour


def test_a_colour_is_found_as_the_command_finds_it() -> None:
    pixels = np.zeros((9, 9, 3), np.uint8)
    pixels[1:3, 1:3] = (200, 100, 50)
    pixels[6:8, 6:8] = (206, 94, 50)
    picture = Picture(pixels, None, "PNG")
    assert near_colour(picture, (1, 1), 6, False).inside((9, 9)).sum() == 8
    assert near_colour(picture, (1, 1), 5, False).inside((9, 9)).sum() == 4
    assert near_colour(picture, (1, 1), 6, True).inside((9, 9)).sum() == 4
    for point, tolerance in (((9, 0), 5), ((-1, 0), 5), ((0, 0), 256)):
        with pytest.raises(UsageError):
            near_colour(picture, point, tolerance, False)


@pytest.mark.parametrize("name", ["m.png", "..", "a/../b.png"])
def test_a_mask_that_is_dropped_may_be_called_anything(name: str) -> None:
    picture, inside = Picture(np.zeros((8, 12, 3), np.uint8), None, "PNG"), np.zeros((8, 12), bool)
    inside[2:4, 4:8] = True
    assert np.array_equal(bits_of_file(mask_file(inside), name, picture, 1000).inside((8, 12)), inside)
    half = mask_file(inside[::2, ::2])
    assert np.array_equal(bits_of_file(half, name, picture, 1000).inside((8, 12)), inside)
    with pytest.raises(ImageError, match="^[^/]*" + name.replace(".", "[.]")):  # and no folder of this machine
        bits_of_file(b"no mask", name, picture, 1000)
