"""A prior that fills holes: what it leaves alone, what it depends on, what it costs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from drawn import scene
from torch import Tensor

from irflow_cli.degradations.masks import HOLES
from irflow_cli.engines import upscaler as upscale
from irflow_cli.engines.holes import Hole, spread_hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.prior import Prior
from irflow_cli.engines.settings import PRESETS, SamplerSettings, Schedule, offered
from irflow_cli.errors import DeviceError, UsageError
from irflow_cli.flow.coarse import GUESSED_AT, doubled
from irflow_cli.flow.observations import OPERATORS
from irflow_cli.images.picture import Picture
from irflow_cli.nets import UNet


@pytest.mark.parametrize("room", [120, 20])
def test_a_trajectory_that_does_not_fit_the_memory_begins_again_in_smaller_windows(
    room: int, tiny_checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sides = UNet.forward, []

    def forward(net: UNet, x: Tensor, *rest: Tensor) -> Tensor:
        sides.append(max(x.shape[-2:]))
        if sides[-1] > room:
            raise torch.OutOfMemoryError("no room")
        return real(net, x, *rest)

    inside = np.zeros((200, 240), bool)
    inside[60:140, 60:180] = True
    picture = Picture(scene(200, 240), None, "PNG")
    inpainter = Inpainter(SamplerSettings(checkpoint=str(tiny_checkpoint("prior")), steps=2))
    monkeypatch.setattr(UNet, "forward", forward)
    if room < 64:
        with pytest.raises(DeviceError, match="out of memory"):
            inpainter.fill(picture, spread_hole(inside))
        return
    filled = inpainter.fill(picture, spread_hole(inside)).pixels
    assert max(sides) > room >= sides[-1]
    assert np.array_equal(filled[~inside], picture.pixels[~inside])
    assert not np.array_equal(filled[inside], picture.pixels[inside])
    assert inpainter.prior.windows[0] == 448  # the next picture may be smaller


def deep(path: Path, grey: bool, alpha: bool) -> None:
    """Write a 16-bit PNG whose low bytes say something."""
    pixels = scene(48, 64).astype(np.uint16) * 257 + np.arange(48 * 64, dtype=np.uint16).reshape(48, 64, 1) % 250
    if grey:
        pixels = pixels[..., 0]
    elif alpha:
        pixels = np.dstack([pixels, np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21])
    cv2.imwrite(str(path), pixels)


@pytest.mark.parametrize("name", HOLES)
def test_holes_of_every_shape_are_filled(tiny_checkpoint, name: str) -> None:
    inside = HOLES[name](50, 70, np.random.default_rng(1))
    assert inside.shape == (50, 70)
    assert 0 < inside.mean() < 1
    picture = Picture(scene(50, 70), None, "PNG")
    settings = SamplerSettings(steps=2, checkpoint=str(tiny_checkpoint("prior")))
    filled = Inpainter(settings).fill(picture, Hole(inside))
    assert np.array_equal(filled.pixels[~inside], picture.pixels[~inside])
    assert not np.array_equal(filled.pixels, picture.pixels)


def test_the_seed_decides_and_the_batch_does_not(tiny_checkpoint) -> None:
    picture = Picture(scene(300, 400), None, "PNG")
    inside = np.zeros((300, 400), bool)
    inside[20:28, 30:60] = inside[200:230, 300:310] = True
    settings = SamplerSettings(steps=3, checkpoint=str(tiny_checkpoint("prior")))
    inpainter = Inpainter(settings)

    def filled(inside: np.ndarray, seed: int = 0) -> np.ndarray:
        return inpainter.fill(picture, Hole(inside), seed).pixels

    both, alone = filled(inside), np.zeros_like(inside)
    alone[20:28, 30:60] = True
    assert np.abs(both[alone].astype(int) - filled(alone)[alone]).max() <= 1
    assert np.array_equal(both, filled(inside))
    assert not np.array_equal(both, filled(inside, seed=1))


def test_a_trajectory_that_stops_early_ends_elsewhere(tiny_checkpoint) -> None:
    checkpoint, inside = str(tiny_checkpoint("prior")), HOLES["box"](48, 48, np.random.default_rng(0))
    picture, hole = Picture(scene(48, 48), None, "PNG"), Hole(inside)
    ends = [
        Inpainter(SamplerSettings("paper", steps=4, stop=stop, checkpoint=checkpoint)).fill(picture, hole).pixels
        for stop in (None, 0.75, 0.9)  # four equal steps are at 0.75 before the last
    ]
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


@pytest.mark.parametrize("sampler", ["pixelwise", "restora"])
def test_windows_of_a_large_hole_leave_no_seam(tiny_checkpoint, sampler: str) -> None:
    picture = Picture(scene(160, 200), None, "PNG")
    inside = HOLES["thin"](160, 200, np.random.default_rng(3))
    inpainter = Inpainter(SamplerSettings("smooth", sampler=sampler, steps=2, checkpoint=str(tiny_checkpoint("prior"))))
    hole = Hole(inside)
    whole = inpainter.fill(picture, hole).pixels.astype(int)
    inpainter.prior.windows = (96, 32, inpainter.prior.net.contract.multiple)
    parts = inpainter.fill(picture, hole).pixels.astype(int)
    assert np.abs(whole - parts).max() <= 2  # the tiny network sees less far than windows overlap


def test_pieces_of_a_long_scratch_know_what_was_filled_before(tiny_checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    line = np.zeros((1100, 1100), np.uint8)
    cv2.line(line, (20, 20), (1080, 1060), 1, 5)
    line[700:705, 100:105] = 1  # a hole of its own
    inside, open_before, real = line > 0, [], Inpainter._sampled

    def sampled(self: Inpainter, pixels: np.ndarray, missing: np.ndarray, crops: list, seed: int) -> list[np.ndarray]:
        open_before.append((crops[0].turn, missing.sum()))
        assert (pixels[inside & ~missing] != 0).all()  # what is known by now was filled
        return real(self, pixels, missing, crops, seed)

    monkeypatch.setattr(Inpainter, "_sampled", sampled)
    picture = Picture(np.where(inside, 0, scene(1100, 1100)[..., 0].clip(9)).astype(np.uint8), None, "PNG")
    inpainter = Inpainter(SamplerSettings("fast", checkpoint=str(tiny_checkpoint("prior"))))
    inpainter.fill(picture, Hole(inside))
    turns, still_open = zip(*open_before, strict=True)
    assert turns == (0, 0, *range(1, len(turns) - 1))
    assert still_open[0] == still_open[1] == inside.sum()  # one turn does not look at itself
    assert all(later < earlier for earlier, later in itertools.pairwise(still_open[1:]))


def test_calls_are_those_that_were_made(tiny_checkpoint) -> None:
    picture, inside = Picture(scene(64, 64), None, "PNG"), np.zeros((64, 64), bool)
    inside[20:22, 20:40] = True

    def calls(**settings: object) -> float:
        inpainter = Inpainter(SamplerSettings(checkpoint=str(tiny_checkpoint("prior")), **settings))  # type: ignore[arg-type]
        inpainter.fill(picture, Hole(inside))
        return inpainter.prior.evaluated / inpainter.prior.worked

    assert calls(preset="fast") == 1
    assert calls(preset="paper") == 189
    assert calls(preset="texture") == 8 + 1
    assert calls(preset="varied") == 4 + 1
    assert calls() == 1  # thin
    inside[20:36, 20:36] = True
    assert calls() == 1 + 2 / 4  # half the size from two places
    assert calls(preset="smooth") == 4 * (1 + 2 / 4)
    assert calls(steps=3) == 3 + 2 / 4
    assert calls(start=0.5) == 1 + 1 + 2 / 4
    made = {("auto", 2): 1, ("auto", 4): 1 + 1 / 4, ("smooth", 2): 4, ("smooth", 3): 4 + 4 / 9, ("texture", 2): 2}
    for (preset, scale), expected in made.items():
        upscaler = upscale.Upscaler(SamplerSettings(preset, checkpoint=str(tiny_checkpoint("prior"))), scale)
        upscaler.enlarge(Picture(scene(20, 30), None, "PNG"))
        assert upscaler.prior.evaluated / upscaler.prior.worked == pytest.approx(expected)


def test_restora_flow_takes_more_steps_for_single_pixels_and_for_twice_the_size(tiny_checkpoint) -> None:
    settings = SamplerSettings("paper", checkpoint=str(tiny_checkpoint("prior")))
    inpainter = Inpainter(settings)
    inpainter.fill(Picture(scene(32, 32), None, "PNG"), Hole(HOLES["pixels"](32, 32, np.random.default_rng(1))))
    assert inpainter.prior.evaluated == 381 * inpainter.prior.worked
    for operator in OPERATORS:
        upscaler = upscale.Upscaler(settings, 2, operator)
        upscaler.enlarge(Picture(scene(16, 16), None, "PNG"))
        assert upscaler.prior.evaluated == 381 * upscaler.prior.worked, operator


def test_a_hole_beside_another_is_not_taken_for_picture(tiny_checkpoint) -> None:
    inside = np.zeros((400, 400), bool)
    inside[20:380, 20:24] = inside[20:24, 20:380] = True
    inside[250:254, 250:254] = True  # within the box of the others, and far from them
    bright, dark = (np.where(inside[..., None], value, scene(400, 400)).astype(np.uint8) for value in (255, 0))
    inpainter = Inpainter(SamplerSettings(steps=1, checkpoint=str(tiny_checkpoint("prior"))))
    hole = Hole(inside)
    assert np.array_equal(*(inpainter.fill(Picture(pixels, None, "PNG"), hole).pixels for pixels in (bright, dark)))


def test_a_deep_hole_begins_in_what_is_found_at_half_the_size(tiny_checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, inside, calls = str(tiny_checkpoint("prior")), np.zeros((128, 128), bool), []
    inside[40:68, 40:68] = True
    sample = Prior.sample

    def sampled(self, observation, guess, needed, generators, schedule):
        found = sample(self, observation, guess, needed, generators, schedule)
        calls.append((guess, found.state, schedule))
        return found

    monkeypatch.setattr(Prior, "sample", sampled)
    smooth, fast = (Inpainter(SamplerSettings(preset, checkpoint=checkpoint)) for preset in ("smooth", "fast"))
    smooth.fill(Picture(scene(128, 128), None, "PNG"), Hole(inside))
    way = [(4, 32), (2, 64), (1, 128)]  # fourteen pixels deep, seven, three and a half
    assert [(len(state), state.shape[2]) for _, state, _ in calls] == 4 * way  # views
    for number in range(0, len(calls), 3):
        first, *others = calls[number : number + 3]
        assert first[0] is None
        assert first[2].start == 0
        for (_, before, _), (guess, state, schedule) in itertools.pairwise([first, *others]):
            once, moved = doubled(before.clamp(0, 1), *state.shape[2:]).clamp(0, 1).chunk(2)
            assert torch.allclose(guess[..., :-1, :-1], ((once[..., :-1, :-1] + moved[..., 1:, 1:]) / 2), atol=1e-6)
            assert (schedule.start, schedule.still) == (GUESSED_AT, True)
    smooth.prior.schedule = replace(smooth.prior.schedule, views=1)  # its answers for other turns aside
    line, pixels = Hole(np.eye(64, dtype=bool)), scene(64, 64)
    monkeypatch.undo()
    one, other = (inpainter.fill(Picture(pixels, None, "PNG"), line).pixels for inpainter in (smooth, fast))
    assert np.array_equal(one, other)


def test_smaller_sizes_see_what_lies_beyond_the_crop(tiny_checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth, seen = Inpainter(SamplerSettings("smooth", checkpoint=str(tiny_checkpoint("prior")))), []
    smooth.prior.schedule, sample = replace(smooth.prior.schedule, views=1), Prior.sample

    def sampled(self, observation, *others):
        seen.append(tuple(observation.picture.shape[2:]))
        return sample(self, observation, *others)

    monkeypatch.setattr(Prior, "sample", sampled)
    for wide, shapes in ((40, [(16, 56), (32, 64), (64, 80), (128, 160)]), (7, [(128, 128)])):
        inside, seen[:] = np.zeros((128, 512), bool), []
        inside[44:84, 240 : 240 + wide] = True
        smooth.fill(Picture(scene(128, 512), None, "PNG"), Hole(inside))
        assert seen == shapes  # the crop has 48 pixels around the hole and a little more, each smaller size 24


def test_holes_deep_and_shallow_in_one_turn_are_filled_as_alone(tiny_checkpoint) -> None:
    smooth = Inpainter(SamplerSettings("smooth", checkpoint=str(tiny_checkpoint("prior"))))
    deep, shallow = np.zeros((128, 320), bool), np.zeros((128, 320), bool)
    deep[56:72, 56:72], shallow[56:72, 256:258] = True, True
    both, one, other = (
        smooth.fill(Picture(scene(128, 320), None, "PNG"), Hole(hole)).pixels for hole in (deep | shallow, deep, shallow)
    )
    assert np.array_equal(both, np.where(deep[..., None], one, other))


def test_a_turned_hole_is_filled_with_the_turned_result(tiny_checkpoint) -> None:
    """By `smooth`, a mean over turns of all of the way; by one call of a network it is not."""

    def apart(preset: str) -> int:
        inpainter = Inpainter(SamplerSettings(preset, checkpoint=str(tiny_checkpoint("prior"))))
        inside = np.zeros((64, 64), bool)
        inside[20:44, 24:40] = True
        first, second = (
            inpainter.fill(Picture(np.rot90(scene(64, 64), turn).copy(), None, "PNG"), Hole(np.rot90(inside, turn).copy()))
            for turn in (0, 1)
        )
        return int(np.abs(np.rot90(first.pixels).astype(int) - second.pixels).max())

    assert apart("smooth") <= 1
    assert apart("fast") > 1


def test_floating_point_pixels_beyond_white_stay_outside(tiny_checkpoint) -> None:
    pixels = scene(64, 64).astype(np.float32) / 64
    mask = np.zeros((64, 64), bool)
    mask[20:30, 20:30] = True
    inpainter = Inpainter(SamplerSettings(steps=1, checkpoint=str(tiny_checkpoint("prior"))))
    filled = inpainter.fill(Picture(pixels, None, "TIFF"), spread_hole(mask, feather=3)).pixels
    outside = spread_hole(mask, feather=3).weight == 0
    assert filled.dtype == np.float32
    assert np.array_equal(filled[outside], pixels[outside])
    assert filled[mask].max() <= 1


@pytest.mark.parametrize("sampler", [name for name in offered() if name != "pixelwise"])
def test_a_sampler_by_its_name_alone_takes_the_steps_it_needs(sampler: str, tiny_checkpoint) -> None:
    for preset in ("auto", "fast", "varied"):
        schedule = Prior(SamplerSettings(preset, sampler, checkpoint=str(tiny_checkpoint("prior"))), "pixels").schedule
        assert schedule.steps > 1
        assert not schedule.pyramid


def test_presets_are_schedules() -> None:
    for name in PRESETS:
        SamplerSettings(name).check()
    assert SamplerSettings("paper").schedule("pixels") == Schedule("restora", 64, 1, scattered=128)
    assert SamplerSettings(sampler="restora", steps=5).schedule("pixels").corrections == 1  # as its name says
    assert SamplerSettings("fast", steps=3, sampler="bridge").schedule("means").corrections == 0
    assert SamplerSettings().schedule("pixels") == SamplerSettings("auto").schedule("pixels")
    assert len({tuple(row) for row in PRESETS.values()}) == 1
    with pytest.raises(UsageError):
        SamplerSettings("paper", steps=0).check()


def test_grey_that_a_lossy_format_coloured_a_little_gains_none(tiny_checkpoint) -> None:
    grey = scene(48, 64)[..., :1].repeat(3, axis=2)
    grey[::3, ::5, 0] ^= 1  # as decoders of WebP and AVIF leave it
    inside = np.zeros(grey.shape[:2], bool)
    inside[20:26, 20:30] = True
    inpainter = Inpainter(SamplerSettings(checkpoint=str(tiny_checkpoint("prior")), steps=2))
    filled = inpainter.fill(Picture(grey, None, "WEBP"), spread_hole(inside)).pixels
    assert np.ptp(filled[inside], axis=1).max() == 0
    coloured = inpainter.fill(Picture(grey, None, "PNG"), spread_hole(inside)).pixels
    assert np.ptp(coloured[inside], axis=1).max() > 0


def test_progress_never_goes_back(tiny_checkpoint) -> None:
    inside, shares = np.zeros((96, 128), bool), []
    inside[24:72, 32:96] = True
    engine = Inpainter(SamplerSettings(checkpoint=str(tiny_checkpoint("prior"))))
    engine.fill(Picture(scene(96, 128), None, "PNG"), Hole(inside), progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 1 and shares[0] <= 0.5, shares
