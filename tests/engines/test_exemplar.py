"""Wide holes are copied from the rest of the picture: laws of what is copied, and that texture stays."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn import disc, scene

from irflow_cli.degradations.masks import HOLES
from irflow_cli.engines.exemplar import enough_around, exemplar_fill
from irflow_cli.engines.holes import Hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.settings import FILLING, SamplerSettings
from irflow_cli.engines.wide import SMALL, copied_parts
from irflow_cli.errors import ImageError
from irflow_cli.images.picture import Picture, top_of

DEPTHS = ("uint8", "uint16", "float32")


def grass(height: int, width: int) -> np.ndarray:
    """Return blades (H, W, 3) uint8: strokes of many greens, mostly upright."""
    random, canvas = np.random.default_rng(4), np.full((height, width, 3), (20, 60, 15), np.uint8)
    for _ in range(height * width // 30):
        x, y = (int(value) for value in random.integers(0, (width, height)))
        end = (x + int(random.integers(-4, 5)), y - int(random.integers(8, 20)))
        cv2.line(canvas, (x, y), end, [int(value) for value in random.integers((20, 80, 10), (120, 230, 90))], 1)
    return canvas


def flat(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return a guess: the mean of what is known."""
    return np.where(known[..., None], picture, picture[known].mean(0))


def as_kind(pixels: np.ndarray, kind: str) -> np.ndarray:
    """Return pixels of 8 bits at another depth, with something in its lowest bits."""
    if kind == "uint8":
        return pixels
    low = np.random.default_rng(1).integers(0, 257, pixels.shape)
    return (pixels * 256.0 + low).clip(0, 65535).astype(np.uint16) if kind == "uint16" else (pixels / np.float32(255))


@pytest.fixture
def inpainter(tiny_checkpoint) -> Inpainter:
    """Return one that copies wide parts, with a prior of random weights."""
    return Inpainter(SamplerSettings(checkpoint=str(tiny_checkpoint("prior"))))


HOLES_OF_ALL_KINDS = {
    "inside": disc(120, 150, 30),
    "corner": disc(120, 150, 45, (0, 0)),
    "edge": disc(120, 150, 30, (149, 60)),
    "band": np.repeat((np.abs(np.arange(120) - 60) < 22)[:, None], 150, 1),
    "two": disc(120, 150, 25, (30, 30)) | disc(120, 150, 25, (110, 90)),
    "frame": ~np.pad(np.ones((70, 100), bool), 25),
}


@pytest.mark.parametrize("name", HOLES_OF_ALL_KINDS)
def test_holes_of_any_shape_are_filled_and_nothing_else_is_touched(name: str, inpainter: Inpainter) -> None:
    inside = HOLES_OF_ALL_KINDS[name]
    pixels = grass(120, 150)
    pixels[inside] = (255, 0, 255)  # found nowhere else
    before = pixels.copy()
    done = inpainter.fill(Picture(pixels, None, "PNG"), Hole(inside)).pixels
    assert np.array_equal(done[~inside], before[~inside])
    assert np.array_equal(pixels, before)
    assert (done[inside] != (255, 0, 255)).any(1).all()


@pytest.mark.parametrize("kind", DEPTHS)
@pytest.mark.parametrize("channels", [1, 3])
def test_depth_and_known_pixels_are_kept_exactly(kind: str, channels: int, inpainter: Inpainter) -> None:
    inside = disc(120, 150, 28)
    pixels = as_kind(grass(120, 150), kind)
    pixels = np.ascontiguousarray(pixels[..., 1]) if channels == 1 else pixels
    done = inpainter.fill(Picture(pixels, None, "PNG"), Hole(inside)).pixels
    assert (done.dtype, done.shape) == (pixels.dtype, pixels.shape)
    assert np.array_equal(done[~inside], pixels[~inside])
    assert np.abs(done[inside].astype(float) - pixels[inside]).mean() < 0.3 * top_of(pixels.dtype)


@pytest.mark.parametrize("inside", [disc(120, 150, 28), HOLES["thin"](120, 150, np.random.default_rng(0))])
def test_grey_stored_as_three_channels_stays_grey(inside: np.ndarray, inpainter: Inpainter) -> None:
    grey = grass(120, 150)[..., 1:2].repeat(3, 2)
    grey[inside] = (255, 0, 0)  # the mark of the hole is no colour of the picture
    done = inpainter.fill(Picture(grey, None, "PNG"), Hole(inside)).pixels
    assert (np.ptp(done, axis=2) == 0).all()


def test_one_seed_one_filling_and_varied_seeds_vary(tiny_checkpoint) -> None:
    picture, inside, fills = Picture(grass(98, 126), None, "PNG"), disc(98, 126, 22), []
    varied = Inpainter(SamplerSettings("varied", checkpoint=str(tiny_checkpoint("prior"))))
    for seed in (0, 0, 1):
        fills.append(varied.fill(picture, Hole(inside), seed).pixels[inside].astype(float))
    assert np.array_equal(fills[0], fills[1])
    assert np.abs(fills[0] - fills[2]).mean() > 10  # of 255: another look, not another rounding


def test_a_real_checkpoint_keeps_texture_where_the_prior_alone_has_none() -> None:
    """The shipped prior, end to end: what fills a wide hole in grass is as lively as the grass."""
    pixels, inside = grass(200, 240), disc(200, 240, 42)
    core = cv2.erode(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    around = (cv2.dilate(inside.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0) & ~inside

    def liveliness(picture: np.ndarray, where: np.ndarray) -> float:
        grey = picture.astype(np.float32).mean(2)
        return float(np.sqrt((cv2.blur(grey * grey, (7, 7)) - cv2.blur(grey, (7, 7)) ** 2).clip(0))[where].mean())

    filled = {
        name: Inpainter(SamplerSettings(name)).fill(Picture(pixels, None, "PNG"), Hole(inside)).pixels for name in FILLING[1:3]
    }
    usual = liveliness(pixels, around)
    assert liveliness(filled["auto"], core) > 0.75 * usual
    assert liveliness(filled["smooth"], core) < 0.35 * usual


def filled_both_ways(picture: Picture, inside: np.ndarray, checkpoint: str) -> list[np.ndarray]:
    """Return a picture filled with copies and by the prior alone, for one turn of the picture both."""
    inpainters = [Inpainter(SamplerSettings(name, checkpoint=checkpoint)) for name in ("auto", "smooth")]
    for inpainter in inpainters:
        inpainter.prior.schedule = replace(inpainter.prior.schedule, views=1)
    return [inpainter.fill(picture, Hole(inside)).pixels for inpainter in inpainters]


def test_narrow_holes_are_left_to_the_prior(tiny_checkpoint) -> None:
    picture, checkpoint = Picture(scene(120, 150), None, "PNG"), str(tiny_checkpoint("prior"))
    for inside in (disc(120, 150, int(SMALL) - 1), HOLES["scratches"](120, 150, np.random.default_rng(1))):
        assert np.array_equal(*filled_both_ways(picture, inside, checkpoint))


def test_what_has_too_little_around_is_left_to_the_prior(tiny_checkpoint) -> None:
    picture, inside, checkpoint = Picture(scene(80, 80), None, "PNG"), np.ones((80, 80), bool), str(tiny_checkpoint("prior"))
    inside[:10] = False
    assert list(copied_parts(inside, picture.pixels))
    assert not enough_around(inside)
    assert np.array_equal(*filled_both_ways(picture, inside, checkpoint))


@pytest.mark.parametrize("side", [1, 2, 7, 20, 40])
def test_tiny_pictures_are_filled(side: int, inpainter: Inpainter) -> None:
    inside = np.ones((side, side + 1), bool)
    inside[:, 0] = False
    done = inpainter.fill(Picture(scene(side, side + 1), None, "PNG"), Hole(inside)).pixels
    assert np.array_equal(done[:, 0], scene(side, side + 1)[:, 0])


def test_a_picture_that_is_missing_as_a_whole_is_told_in_one_line(inpainter: Inpainter) -> None:
    with pytest.raises(ImageError, match=r"^[^\n]*all of it is missing[^\n]*$"):
        inpainter.fill(Picture(scene(40, 50), None, "PNG"), Hole(np.ones((40, 50), bool)))


@pytest.mark.parametrize("larger", [1, 4])
def test_a_periodic_picture_is_continued(larger: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What repeats can be copied exactly: the filling is the picture, also when the ways are found at a smaller scale."""
    monkeypatch.setattr("irflow_cli.engines.exemplar.WORK", 20_000 // larger**2)
    rows, columns = np.mgrid[0:240, 0:320]
    waves = 0.5 + 0.2 * np.sin(rows * 2 * np.pi / 32) + 0.2 * np.sin(columns * 2 * np.pi / 32)
    picture = (waves[..., None] * np.array([1.0, 0.8, 0.6])).astype(np.float32)
    inside = disc(240, 320, 40)
    found = exemplar_fill(np.where(inside[..., None], np.float32(0), picture), inside, flat)
    assert np.abs(found.pixels - picture)[inside].mean() < 0.02
    assert np.array_equal(found.pixels[~inside], picture[~inside])
    assert not (found.seams & ~inside).any()


@pytest.mark.parametrize("specks", ["text", "pixels"])
def test_a_wide_hole_among_specks_is_filled(specks: str, inpainter: Inpainter) -> None:
    pixels, inside = scene(256, 256), np.zeros((256, 256), bool)
    random = np.random.default_rng(0)
    inside |= HOLES["text"](256, 256, random) if specks == "text" else random.random((256, 256)) < 0.03
    inside[100:150, 100:150] = True
    assert enough_around(inside)
    filled = inpainter.fill(Picture(pixels.copy(), None, "PNG"), Hole(inside)).pixels
    assert np.array_equal(filled[~inside], pixels[~inside])


def test_what_has_nothing_to_copy_from_is_left_to_the_prior(inpainter: Inpainter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irflow_cli.engines.exemplar.WORK", 100)
    pixels, inside = scene(96, 96), np.random.default_rng(0).random((96, 96)) < 0.03
    inside[36:60, 36:60] = True
    assert enough_around(inside)
    assert exemplar_fill(np.where(inside[..., None], np.float32(0), pixels / np.float32(255)), inside, flat) is None
    filled = inpainter.fill(Picture(pixels.copy(), None, "PNG"), Hole(inside)).pixels
    assert np.array_equal(filled[~inside], pixels[~inside]) and not np.array_equal(filled[inside], pixels[inside])
