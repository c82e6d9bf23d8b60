"""Do no harm, a law for every task: what is clean stays, no brightness moves, and tiles leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from harm import moved
from skimage import data

from irflow_cli.api import inpaint, load_checkpoint, restore, upscale
from irflow_cli.degradations.masks import HOLES
from irflow_cli.engines import upscaler
from irflow_cli.engines.holes import Hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.settings import SamplerSettings
from irflow_cli.images.picture import Picture
from irflow_cli.tasks import RESTORED

HALF = 0.5  # of a grey level: what the mean of a block of 64 pixels may move
CLEAN = {  # photographs that scikit-image brings, and where a crop begins
    "astronaut": (0, 192),
    "chelsea": (40, 100),
    "rocket": (100, 200),
    "coffee": (100, 200),
}


def restored(task: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return what takes the degradation of `task` out of a picture that has none."""
    return lambda clean: restore(clean, task, engine="torch", device="cpu")


def filled(clean: np.ndarray) -> np.ndarray:
    """Return a picture that letters were taken out of: narrow holes, beside which everything is known."""
    inside = HOLES["text"](*clean.shape[:2], np.random.default_rng(0))
    return inpaint(clean, inside, engine="torch", device="cpu")


def enlarged(clean: np.ndarray) -> np.ndarray:
    """Return a picture that was enlarged, and whose blocks are means of four pixels."""
    large = upscale(clean, 2, engine="torch", device="cpu").astype(float)
    return large.reshape(clean.shape[0], 2, clean.shape[1], 2, 3).mean((1, 3))


# What is done to clean pictures. In three of 110 others drops are seen where there are none: docs/results.md.
WORK = {**{task: restored(task) for task in RESTORED}, "inpaint": filled, "upscale": enlarged}
USUALLY = {**dict.fromkeys(WORK, 0.1), "inpaint": 0.2}  # levels that the median block may move; what letters hid is a guess


def photograph(name: str, side: int = 192) -> np.ndarray:
    """Return a crop (side, side, 3), uint8, of a clean photograph."""
    top, left = CLEAN[name]
    return getattr(data, name)()[top : top + side, left : left + side]


@pytest.mark.parametrize("task", WORK)
def test_brightness_of_clean_pictures_stays(task: str) -> None:
    found = np.stack([moved(WORK[task](clean), clean) for clean in map(photograph, CLEAN)])
    assert found.max() < HALF, found.round(2)
    assert np.median(found) < USUALLY[task]


@pytest.mark.parametrize(("task", "name"), [("derain", "chelsea"), ("deraindrop", "chelsea"), ("deraindrop", "astronaut")])
def test_whiskers_are_no_rain_and_a_soft_background_and_reflections_no_drops(task: str, name: str) -> None:
    whole = getattr(data, name)()
    assert moved(restored(task)(whole), whole).max() < HALF


@pytest.mark.parametrize("side", [6, 24])
def test_a_hole_in_a_smooth_picture_gets_its_brightness(side: int) -> None:
    down, across = np.mgrid[:192, :192]
    for smooth in (
        np.full((192, 192, 3), (90, 140, 200)),
        np.stack([60 + 0.4 * down, 120 + 0.3 * across, 180 - 0.2 * down], -1),
        np.stack([128 + 60 * np.cos(across / 90 + phase) * np.cos(down / 70) for phase in range(3)], -1),
    ):
        clean, inside = smooth.round().astype(np.uint8), np.zeros((192, 192), bool)
        inside[80 : 80 + side, 70 : 70 + side] = True
        result = inpaint(clean, inside, engine="torch", device="cpu")
        assert moved(result, clean).max() < HALF
        assert np.abs(result.astype(int) - clean).max() <= 8  # and no spot is seen in it


def restored_in_tiles(task: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, ...]:
    """Return a picture, restored by a small network, as a whole and in tiles."""
    degraded, known = np.random.default_rng(0).integers(0, 256, (200, 272, 3), np.uint8), load_checkpoint(checkpoint)
    whole = restore(degraded, task, checkpoint=known, tile=512, engine="torch")
    return degraded, whole, restore(degraded, task, checkpoint=known, tile=160, overlap=64, engine="torch")


def filled_in_windows(task: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, ...]:
    """Return a picture whose holes a small prior filled, as a whole and in windows."""
    degraded = np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)
    hole = Hole(HOLES["thin"](160, 200, np.random.default_rng(3)))
    filler = Inpainter(SamplerSettings("fast", checkpoint=str(checkpoint)))
    whole = filler.fill(Picture(degraded.copy(), None, "PNG"), hole).pixels
    filler.prior.windows = (96, 32, filler.prior.net.contract.multiple)
    return degraded, whole, filler.fill(Picture(degraded.copy(), None, "PNG"), hole).pixels


def enlarged_in_tiles(task: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, ...]:
    """Return a picture that a small prior enlarged, as a whole and in tiles; the first is as if nothing was done."""
    small = np.random.default_rng(0).integers(0, 256, (65, 80, 3), np.uint8)
    ends = []
    for tile in (512, 256):
        monkeypatch.setattr(upscaler, "TILE", tile)
        enlarge = upscaler.Upscaler(SamplerSettings("auto", checkpoint=str(checkpoint)), 4)
        ends.append(enlarge.enlarge(Picture(small, None, "PNG")).pixels)
    return small.repeat(4, 0).repeat(4, 1), *ends


TILED = {**dict.fromkeys(RESTORED, restored_in_tiles), "inpaint": filled_in_windows, "upscale": enlarged_in_tiles}


@pytest.mark.parametrize("task", TILED)
def test_tiles_equal_the_whole_where_they_see_enough(task: str, tiny_checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = tiny_checkpoint(task if task in RESTORED else "prior")
    before, whole, tiled = (end.astype(int) for end in TILED[task](task, checkpoint, monkeypatch))
    assert np.abs(whole - before).max() > 1  # it does something
    assert np.abs(tiled - whole).max() <= 1


def test_every_task_and_command_has_these_laws() -> None:
    commands = {
        path.stem.removesuffix("_files") for path in (Path(upscaler.__file__).parents[1] / "services").glob("*_files.py")
    }
    everything = {*RESTORED, *commands} - {"restore", "degrade"}  # whose tasks these are; and which is to do harm
    assert set(WORK) == set(TILED) == everything
