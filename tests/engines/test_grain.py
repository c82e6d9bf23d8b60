"""Fine grain: where it is, and that holes in it are filled with more of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from irflow_cli.engines.grain import AROUND, BAND, grain_of
from irflow_cli.engines.holes import Hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.settings import SamplerSettings
from irflow_cli.engines.wide import CELL, CONTEXT, copied_parts
from irflow_cli.images.picture import Picture, as_depth


def meadow(height: int, width: int) -> np.ndarray:
    """Return pixels (H, W, 3), uint8: left grain, right a smooth slope with an edge."""
    noise = np.random.default_rng(0).normal(120, 25, (height, width, 1))
    columns = np.arange(width)[None, :, None]
    smooth = np.where(columns % 60 < 30, 90, 150) + 0 * noise
    return np.where(columns < width // 2, noise, smooth).repeat(3, 2).clip(0, 255).astype(np.uint8)


def pole(height: int, width: int) -> np.ndarray:
    """Return a hole (H, W), bool: a stroke nine pixels wide across both halves."""
    missing = np.zeros((height, width), bool)
    missing[height // 2 - 4 : height // 2 + 5] = True
    return missing


@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.float32])
def test_grain_is_fine_detail_everywhere_and_edges_are_not(depth: type) -> None:
    pixels, missing = as_depth(meadow(120, 300) / 255, np.dtype(depth)), pole(120, 300)
    grain = grain_of(pixels, missing)
    assert grain[:, : 150 - AROUND].all()
    assert not grain[:, 150 + AROUND :].any()
    assert np.array_equal(grain, grain_of(pixels[..., 0], missing))


def test_bands_of_rows_agree_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, missing = meadow(2 * BAND + 70, 200), np.zeros((2 * BAND + 70, 200), bool)
    missing[::45, :150] = True
    whole = grain_of(pixels, missing)
    monkeypatch.setattr("irflow_cli.engines.grain.BAND", len(pixels))
    assert np.array_equal(whole, grain_of(pixels, missing))
    assert whole.any() and not whole.all()


def test_where_nothing_is_known_there_is_no_grain() -> None:
    assert not grain_of(meadow(80, 80), np.ones((80, 80), bool)).any()


def test_a_pole_in_a_meadow_becomes_meadow(tiny_checkpoint) -> None:
    pixels, missing = meadow(150, 300), pole(150, 300)
    picture = Picture(np.where(missing[..., None], np.uint8(0), pixels), None, "PNG")
    filled, alone = (
        Inpainter(SamplerSettings(preset, checkpoint=str(tiny_checkpoint("prior")))).fill(picture, Hole(missing)).pixels
        for preset in ("auto", "smooth")
    )
    row = 75
    assert filled[row, 10:90].std() > 0.7 * pixels[row, 10:90].std() > 2 * alone[row, 10:90].std()
    seam = slice(row - 5, row - 2)  # known, missing, missing: no blur along the edge
    assert filled[seam, 10:90].std(1).min() > 0.6 * pixels[row, 10:90].std()
    assert np.array_equal(filled[~missing], pixels[~missing])


@pytest.mark.parametrize("under", [np.nan, np.inf, 3e38])
def test_what_lies_under_the_mask_does_not_matter(under: float) -> None:
    pixels, missing = meadow(120, 300).astype(np.float32) / 255, pole(120, 300)
    marked = np.where(missing[..., None], np.float32(under), pixels)
    assert np.array_equal(grain_of(marked, missing), grain_of(pixels, missing))


def test_a_picture_that_is_all_grain_has_grain() -> None:
    assert grain_of(meadow(200, 400)[:, :200], pole(200, 200)).all()


@pytest.mark.parametrize(("width", "copied"), [(4, False), (5, True)])
def test_thin_parts_in_grain_are_copied_from_five_pixels_on(width: int, copied: bool) -> None:
    missing = np.zeros((150, 150), bool)
    missing[70 : 70 + width] = True
    assert bool(list(copied_parts(missing, meadow(150, 300)[:, :150]))) == copied


def test_a_wire_across_a_picture_is_copied_piece_by_piece() -> None:
    missing = np.zeros((900, 900), np.uint8)
    cv2.line(missing, (0, 0), (899, 850), 1, 7)
    parts = list(
        copied_parts(missing > 0, np.random.default_rng(0).normal(120, 25, missing.shape).clip(0, 255).astype(np.uint8))
    )
    together = np.zeros(missing.shape, int)
    for part in parts:
        assert max(part.inside.shape) <= CELL + 2 * CONTEXT
        together[part.place] += part.inside
    assert together.max() == 1
    assert together.sum() > 0.9 * missing.sum()


@pytest.mark.parametrize("sigma", [5, 12, 15])
def test_noise_is_no_grain(sigma: float) -> None:
    smooth = meadow(200, 400)[:, 200:]
    noisy = smooth + np.random.default_rng(1).normal(0, sigma, smooth.shape)
    assert not grain_of(noisy.clip(0, 255).astype(np.uint8), pole(200, 200)).any()
