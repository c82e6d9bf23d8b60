"""Pictures as tiles, and what changed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture, as_depth
from irflow_cli.serve.views import TILE, View, changes, difference_tile


def opened(data: tuple[bytes, str]) -> np.ndarray:
    """Return a tile's pixels."""
    return np.asarray(Image.open(io.BytesIO(data[0])))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("grey", [False, True])
def test_tiles_are_the_picture_at_every_level(dtype: str, grey: bool) -> None:
    pixels = scene(700, 1100)[..., 0] if grey else scene(700, 1100)
    view = View(Picture(np.ascontiguousarray(as_depth(pixels, np.dtype(dtype))), None, "PNG"))
    for level, size in ((0, (700, 1100)), (1, (350, 550)), (2, (175, 275))):
        parts = [[view.part(level, column, row) for column in range(-(-size[1] // TILE))] for row in range(-(-size[0] // TILE))]
        whole = np.concatenate([np.concatenate(row, axis=1) for row in parts])
        assert whole.shape[:2] == size and whole.dtype == np.uint8
        step = 2**level
        mean = pixels[: size[0] // 2 * 2 * step, : size[1] // 2 * 2 * step].mean()
        assert abs(whole.mean() - mean) < 2
    assert np.abs(opened(view.tile(0, 1, 0)).astype(int) - pixels[:TILE, TILE : 2 * TILE]).mean() < 3
    for place in ((0, 3, 0), (0, 0, -1), (-1, 0, 0), (40, 0, 0)):
        with pytest.raises(UsageError):
            view.part(*place)


def test_transparency_is_shown() -> None:
    pixels = scene(40, 50)
    alpha = np.zeros((40, 50), np.uint8)
    alpha[10:] = 200
    view = View(Picture(pixels, alpha, "PNG"))
    assert np.array_equal(opened(view.tile(0, 0, 0)), np.dstack([pixels, alpha]))
    assert view.part(1, 0, 0).shape == (20, 25, 4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_changes_are_counted(dtype: str) -> None:
    pixels = as_depth(scene(300, 200), np.dtype(dtype))
    other = pixels.copy()
    step = {"uint8": 20, "uint16": 20 * 257, "float32": 20 / 255}[dtype]
    other[10:20, 10:30] = np.where(
        other[10:20, 10:30] > pixels.max() / 2, other[10:20, 10:30] - step, other[10:20, 10:30] + step
    )
    one, two = (View(Picture(array, None, "PNG")) for array in (pixels, other))
    found = changes(one, two)
    assert found.counts[20] == 600 and found.counts[0] == pixels.size - 600 and sum(found.counts) == pixels.size
    assert found.share == 200 / 60000 and found.most == pytest.approx(20, abs=1e-3)
    assert found.mean == pytest.approx(20 * 600 / pixels.size, rel=1e-4)
    shown = opened(difference_tile(one, two, (0, 0, 0), 4))
    assert abs(int(shown[15, 20, 0]) - 80) < 4 and shown[100:].max() < 4
    with pytest.raises(UsageError):
        changes(one, View(Picture(pixels[:-1], None, "PNG")))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_differences_are_shown_of_any_kind_without_transparency(channels: int) -> None:
    grey, clear = channels < 3, np.full((60, 90), 9, np.uint8) if channels % 2 == 0 else None
    pixels = scene(60, 90)[..., 0] // 2 if grey else scene(60, 90) // 2
    one, other = (View(Picture(np.ascontiguousarray(pixels + more), clear, "PNG")) for more in (0, np.uint8(20)))
    shown = opened(difference_tile(one, other, (0, 0, 0), 4))
    assert shown.shape == pixels.shape and (np.abs(shown.astype(int) - 80) <= 2).all()
