"""What hardly changes was sound before, and what changes much was not."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import disc

from irflow_cli.engines.evidence import WIDE, keep_sound
from irflow_cli.images.picture import top_of

LEAST = (2.0, 4.0)
SHAPES = [((300, 410, 3), np.uint8), ((64, 700), np.uint16), ((33, 1025, 3), np.float32), ((1, 1), np.uint8)]


def changed(shape: tuple[int, ...], dtype: type, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture and the same with every number changed by `size`, up or down, 0-255 scale."""
    random, top = np.random.default_rng(0), top_of(np.dtype(dtype))
    before = random.uniform(0.4, 0.6, shape) * top
    after = before + size / 255 * top * random.choice([-1, 1], shape)
    whole = before.astype(dtype) if dtype == np.float32 else before.round().astype(dtype)
    return whole, after.astype(dtype) if dtype == np.float32 else after.round().astype(dtype)


@pytest.mark.parametrize(("shape", "dtype"), SHAPES)
@pytest.mark.parametrize("size", [0.0, 0.9, 3.0, 12.0])
def test_little_is_taken_back_to_the_last_bit_and_much_is_kept(shape: tuple[int, ...], dtype: type, size: float) -> None:
    before, after = changed(shape, dtype, size)
    end = after.copy()
    share = keep_sound(before, end, LEAST).most
    assert 0 <= share <= 1
    if size < 1:
        assert share == 0
        assert np.array_equal(end, before)
    elif size > 10:
        assert share == 1
        assert np.array_equal(end, after)
    else:
        low, high = np.minimum(before, after), np.maximum(before, after)
        assert ((end >= low) & (end <= high)).all()


def test_the_share_rises_with_the_change() -> None:
    shares = []
    for size in np.linspace(0, 6, 13):
        before, after = changed((256, 256, 3), np.float32, size)
        shares.append(keep_sound(before, after, LEAST).most)
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert 0 < shares[5] < 1


@pytest.mark.parametrize(("shape", "dtype"), SHAPES)
@pytest.mark.parametrize(("size", "grown"), [(0.9, 0.0), (12.0, 1.2)])
def test_what_changes_much_changes_more(shape: tuple[int, ...], dtype: type, size: float, grown: float) -> None:
    before, after = changed(shape, dtype, size)
    end = after.copy()
    kept = keep_sound(before, end, LEAST, more=0.2)
    step = 0.6 if dtype == np.uint8 else 0.01 * top_of(np.dtype(dtype)) / 255
    expected = before + grown * (after.astype(float) - before)
    assert np.abs(end - expected).max() <= step
    assert kept.most == min(1.0, grown)


def test_what_changes_more_stays_within_its_range() -> None:
    before = np.full((80, 80, 3), 60, np.uint8)
    before[:40] = 200
    after = np.where(before > 100, np.uint8(250), np.uint8(8))
    keep_sound(before, after, LEAST, more=0.5)
    assert (after[:40] == 255).all()
    assert (after[40:] == 0).all()


def test_a_single_drop_goes_and_faint_mistakes_far_from_it_stay_out() -> None:
    before = np.full((1600, 1600, 3), 100, np.uint8)
    after, drop = before.copy(), disc(1600, 1600, 40, (200, 200))
    after[drop] -= 40
    after[1200:1300, 1200:1300] += 3
    end = after.copy()
    kept = keep_sound(before, end, (8.0, 16.0))
    assert kept.most == 1 and drop.mean() < kept.area < 2 * drop.mean()
    assert np.abs(end[drop].astype(int) - 60).max() <= 12
    assert np.array_equal(end[1000:, 1000:], before[1000:, 1000:])


def test_a_change_is_judged_without_the_strength_it_was_made_with() -> None:
    before, full = changed((256, 256, 3), np.float32, 2.8)
    expected = full.copy()
    share = keep_sound(before, expected, LEAST).most
    half = before + (full - before) / 2
    assert keep_sound(before, half, LEAST, 0.5).most == pytest.approx(share, abs=1e-4)
    assert 0 < share < 1
    assert half == pytest.approx((before + expected) / 2, abs=1e-5)


def test_a_picture_may_be_wider_than_opencv_interpolates() -> None:
    before = np.zeros((16, 2 * WIDE + 900), np.uint8)
    after = before.copy()
    after[:, WIDE - 50 : WIDE + 50] = 90
    end = after.copy()
    assert keep_sound(before, end, LEAST).most == 1
    assert np.array_equal(end[:, WIDE - 50 : WIDE + 50], after[:, WIDE - 50 : WIDE + 50])


@pytest.mark.parametrize(("shape", "dtype"), SHAPES)
@pytest.mark.parametrize("believed", [0.0, 0.4, 1.0])
def test_no_more_is_kept_than_is_believed(shape: tuple[int, ...], dtype: type, believed: float) -> None:
    before, after = changed(shape, dtype, 12)
    end = after.copy()
    kept = keep_sound(before, end, LEAST, believed=np.full((2, 3), believed, np.float32))
    step = 0.6 if dtype == np.uint8 else 0.01 * top_of(np.dtype(dtype)) / 255
    assert np.abs(end - (before + believed * (after.astype(float) - before))).max() <= step
    assert kept.most == pytest.approx(believed)
    assert (kept.area > 0) == (believed > 0.2)


def test_what_is_believed_has_its_place() -> None:
    before, after = changed((256, 320, 3), np.uint8, 12)
    end, believed = after.copy(), np.zeros((4, 5), np.float32)
    believed[:, 3:] = 1
    keep_sound(before, end, LEAST, believed=believed)
    assert np.array_equal(end[:, :144], before[:, :144])
    assert np.array_equal(end[:, 240:], after[:, 240:])
