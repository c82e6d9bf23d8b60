"""`irflow inpaint` and `irflow upscale` from end to end, on a prior of random weights."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image
from torch import Tensor

from irflow_cli.degradations.masks import HOLES
from irflow_cli.engines import upscaler as upscale
from irflow_cli.engines.crops import MARGIN, crops_of
from irflow_cli.engines.holes import Hole, spread_hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.prior import Prior
from irflow_cli.engines.settings import PRESETS, SamplerSettings, Schedule, offered
from irflow_cli.errors import DeviceError, ImageError, UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.picture import Picture, top_of
from irflow_cli.nets import UNet
from irflow_cli.services.masks import MaskSettings, hole_of


@pytest.fixture
def inpaint(tiny_checkpoint, irflow) -> Callable:
    """Return `irflow inpaint` with a tiny prior, in two steps."""
    return lambda *arguments: irflow("inpaint", "--checkpoint", tiny_checkpoint("prior"), "--steps", 2, *arguments)


@pytest.fixture
def mask_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a mask with a white box (or what is given) and returns its path."""

    def write(name: str = "mask.png", values: np.ndarray | None = None, height: int = 48, width: int = 64) -> Path:
        if values is None:
            values = np.zeros((height, width), np.uint8)
            values[10:20, 12:30] = 255
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
        return path

    return write


@pytest.mark.parametrize("room", [120, 20])
def test_a_walk_that_does_not_fit_the_memory_begins_again_in_smaller_windows(
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


@pytest.mark.parametrize("kind", ["rgb8", "grey8", "rgba8", "rgb16", "grey16", "rgba16"])
@pytest.mark.parametrize(
    "options", [(), ("--mask-dilate", 3), ("--mask-feather", 4), ("--mask-dilate", 2, "--mask-feather", 3)]
)
def test_pixels_outside_the_hole_are_those_of_the_file(
    inpaint, mask_file, tmp_path: Path, kind: str, options: tuple[object, ...]
) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    if kind.endswith("16"):
        deep(source, kind == "grey16", kind == "rgba16")
    else:
        mode = {"rgb8": "RGB", "grey8": "L", "rgba8": "RGBA"}[kind]
        image = Image.fromarray(scene(48, 64)).convert(mode)
        if mode == "RGBA":
            image.putalpha(Image.fromarray(np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)))
        image.save(source)
    mask = mask_file()
    done = inpaint(source, "-o", target, "--mask", mask, *options)
    assert done.code == 0, done.err
    before, after = read_picture(source), read_picture(target)
    assert after.pixels.dtype == before.pixels.dtype
    assert after.pixels.shape == before.pixels.shape
    if before.alpha is not None:
        assert np.array_equal(np.asarray(after.alpha), before.alpha)
    amounts = dict(zip(options[::2], options[1::2], strict=True))
    settings = MaskSettings(mask, dilate=int(amounts.get("--mask-dilate", 0)), feather=int(amounts.get("--mask-feather", 0)))
    hole = hole_of(settings, before, mask)
    assert np.array_equal(after.pixels[~hole.inside], before.pixels[~hole.inside])
    changed = (after.pixels != before.pixels)[hole.inside if hole.weight is None else hole.weight == 1]
    assert changed.mean() > 0.5


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


def test_the_whole_picture_may_be_missing_with_a_warning(inpaint, picture_file, mask_file) -> None:
    white = mask_file("white.png", np.full((48, 64), 255, np.uint8))
    done = inpaint(picture_file("a.png"), "--mask", white)
    assert done.code == 0
    assert "100% of it is missing" in done.err


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


def test_a_walk_that_stops_early_ends_elsewhere(tiny_checkpoint) -> None:
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
    inpainter = Inpainter(SamplerSettings(sampler=sampler, steps=2, checkpoint=str(tiny_checkpoint("prior"))))
    hole = Hole(inside)
    whole = inpainter.fill(picture, hole).pixels.astype(int)
    inpainter.prior.windows = (96, 32, inpainter.prior.net.contract.multiple)
    parts = inpainter.fill(picture, hole).pixels.astype(int)
    assert np.abs(whole - parts).max() <= 2  # the tiny network sees less far than windows overlap


def test_crops_hold_every_pixel_once_with_known_ones_around() -> None:
    random = np.random.default_rng(2)
    inside = np.zeros((700, 900), bool)
    for _ in range(12):
        row, column = random.integers(690), random.integers(890)
        inside[row : row + 9, column : column + 9] = True
    crops, seen = crops_of(inside), np.zeros(inside.shape, int)
    for crop in crops:
        seen[crop.place] += crop.inside
        rows, columns = np.nonzero(crop.inside)
        assert rows.min() >= min(MARGIN, crop.top + rows.min())
        assert columns.min() >= min(MARGIN, crop.left + columns.min())
        assert crop.inside.shape[0] % 32 == 0
        assert crop.inside.shape[1] % 32 == 0
    assert np.array_equal(seen, inside)
    assert sum(crop.inside.size for crop in crops) < inside.size


def test_a_long_scratch_costs_what_the_scratch_costs() -> None:
    inside = np.zeros((2100, 3000), np.uint8)
    cv2.line(inside, (30, 40), (2950, 2050), 1, 12)
    crops = crops_of(inside.astype(bool))
    assert len(crops) > 4
    assert sum(crop.inside.size for crop in crops) < 0.4 * inside.size
    filled = np.zeros(inside.shape, int)
    for crop in crops:
        filled[crop.place] += crop.inside
        rows, columns = (np.flatnonzero(crop.inside.any(axis)) for axis in (1, 0))
        assert min(rows[0], crop.inside.shape[0] - 1 - rows[-1]) >= MARGIN or crop.top == 0 or crop.bottom == 2100
        assert min(columns[0], crop.inside.shape[1] - 1 - columns[-1]) >= MARGIN or crop.left == 0 or crop.right == 3000
    assert np.array_equal(filled, inside)
    assert [crop.turn for crop in crops] == list(range(len(crops)))
    box = np.zeros((1300, 1300), bool)
    box[100:1200, 100:1200] = True
    assert len(crops_of(box)) == 1


def test_pieces_of_a_long_scratch_know_what_was_filled_before(tiny_checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    line = np.zeros((1100, 1100), np.uint8)
    cv2.line(line, (20, 20), (1080, 1060), 1, 5)
    line[700:705, 100:105] = 1  # a hole of its own
    inside, open_before, real = line > 0, [], Inpainter._sampled

    def walked(self: Inpainter, pixels: np.ndarray, missing: np.ndarray, crops: list, seed: int) -> list[np.ndarray]:
        open_before.append((crops[0].turn, missing.sum()))
        assert (pixels[inside & ~missing] != 0).all()  # what is known by now was filled
        return real(self, pixels, missing, crops, seed)

    monkeypatch.setattr(Inpainter, "_sampled", walked)
    picture = Picture(np.where(inside, 0, scene(1100, 1100)[..., 0].clip(9)).astype(np.uint8), None, "PNG")
    inpainter = Inpainter(SamplerSettings("fast", checkpoint=str(tiny_checkpoint("prior"))))
    inpainter.fill(picture, Hole(inside))
    turns, still_open = zip(*open_before, strict=True)
    assert turns == (0, 0, *range(1, len(turns) - 1))
    assert still_open[0] == still_open[1] == inside.sum()  # one turn does not look at itself
    assert all(later < earlier for earlier, later in itertools.pairwise(still_open[1:]))


def test_several_proposals_are_numbered_and_differ(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    done = inpaint(picture_file("a.png"), "--mask", mask_file(), "--samples", 3)
    assert done.code == 0, done.err
    names = [tmp_path / f"a-{number}.inpaint.png" for number in (1, 2, 3)]
    assert done.out.splitlines() == [str(name) for name in names]
    pictures = [read_picture(name).pixels for name in names]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])
    again = inpaint(tmp_path, "--mask-box", "12,10,18,10", "--samples", 3, "-n")  # results are not inputs
    assert again.code == 2
    assert "a-1.inpaint.png and 2 more exists" in again.err


def test_several_proposals_need_files_and_a_sampler_that_draws(inpaint, picture_file, mask_file) -> None:
    source, mask = picture_file("a.png"), mask_file()
    piped = inpaint("-", "--mask", mask, "--samples", 2)
    assert (piped.code, "several files" in piped.err) == (2, True)
    for preset in ("fast", "default"):
        for more in ((), ("-n",)):
            mean = inpaint(source, "--mask", mask, "--samples", 2, "--preset", preset, "--steps", 1, *more)
            assert (mean.code, "has one result" in mean.err) == (2, True)


def test_calls_are_those_that_were_made(tiny_checkpoint) -> None:
    picture, inside = Picture(scene(64, 64), None, "PNG"), np.zeros((64, 64), bool)
    inside[20:22, 20:40] = True

    def calls(**settings: object) -> float:
        inpainter = Inpainter(SamplerSettings(checkpoint=str(tiny_checkpoint("prior")), **settings))  # type: ignore[arg-type]
        inpainter.fill(picture, Hole(inside))
        return inpainter.prior.evaluated / inpainter.prior.worked

    assert calls(preset="fast") == 1
    assert calls(preset="paper") == 189
    assert calls(preset="best") == 4 + 1
    assert calls() == 1  # thin
    inside[20:40, 20:40] = True
    assert calls() == 1 + 1 / 4 + 1 / 16
    assert calls(steps=3) == 3 + 1 / 4 + 1 / 16
    assert calls(start=0.5) == 1 + 1 + 1 / 4 + 1 / 16
    upscaler = upscale.Upscaler(SamplerSettings(checkpoint=str(tiny_checkpoint("prior"))), 2)
    upscaler.enlarge(Picture(scene(20, 30), None, "PNG"))
    assert upscaler.prior.evaluated / upscaler.prior.worked == 4


def test_a_format_that_codes_anew_is_told(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    done = inpaint(picture_file("a.jpg"), "--mask", mask_file())
    assert (done.code, "codes all pixels anew; --format png" in done.err) == (0, True)
    assert "anew" not in inpaint(tmp_path / "a.jpg", "--mask", mask_file(), "--format", "png").err


def test_a_hole_beside_another_is_not_taken_for_picture(tiny_checkpoint) -> None:
    inside = np.zeros((400, 400), bool)
    inside[20:380, 20:24] = inside[20:24, 20:380] = True
    inside[250:254, 250:254] = True  # within the box of the others, and far from them
    bright, dark = (np.where(inside[..., None], value, scene(400, 400)).astype(np.uint8) for value in (255, 0))
    inpainter = Inpainter(SamplerSettings(steps=1, checkpoint=str(tiny_checkpoint("prior"))))
    hole = Hole(inside)
    assert np.array_equal(*(inpainter.fill(Picture(pixels, None, "PNG"), hole).pixels for pixels in (bright, dark)))


def test_deep_in_a_hole_is_what_is_found_at_half_the_size(tiny_checkpoint) -> None:
    checkpoint, inside = str(tiny_checkpoint("prior")), np.zeros((128, 128), bool)
    inside[40:88, 40:88] = True
    pixels = np.where(inside[..., None], 0, scene(128, 128)).astype(np.uint8)
    default, fast = Inpainter(SamplerSettings(checkpoint=checkpoint)), Inpainter(SamplerSettings("fast", checkpoint=checkpoint))

    def filled(inpainter: Inpainter, pixels: np.ndarray, inside: np.ndarray) -> np.ndarray:
        hole = Hole(inside)
        return inpainter.fill(Picture(pixels, None, "PNG"), hole).pixels.astype(float)

    near, ours = filled(fast, pixels, inside), filled(default, pixels, inside)
    small = filled(default, pixels[::2, ::2].copy(), inside[::2, ::2])  # what is around is nearly that of means
    far = cv2.resize(small, (128, 128), interpolation=cv2.INTER_CUBIC)
    away = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    assert np.array_equal(ours[away <= 2], near[away <= 2])
    deep = away >= 20
    assert np.abs(ours - far)[deep].mean() < 0.3 * np.abs(ours - near)[deep].mean()
    line = np.eye(64, dtype=bool)
    assert np.array_equal(*(filled(inpainter, scene(64, 64), line) for inpainter in (default, fast)))


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


def test_of_masks_with_one_name_the_one_in_the_folder_of_that_name_is_taken(tmp_path: Path) -> None:
    for name in ("m/a/1.png", "m/b/1.png", "m/2.png", "m/c/3.png", "m/d/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    Image.new("L", (4, 4)).save(tmp_path / "m" / "c" / "3.bmp")
    root = tmp_path / "in"

    def found(name: str, start: Path = root) -> Path | None:
        return MaskSettings(tmp_path / "m").pair([(root / name, start)])[0]

    assert found("b/1.jpg", root / "b") == tmp_path / "m" / "b" / "1.png"
    assert found("x/2.jpg") == tmp_path / "m" / "2.png"
    assert found("1.jpg") == tmp_path / "m" / "1.png"  # which is not there, and not that of another folder
    with pytest.raises(UsageError, match="keep one"):
        found("c/3.jpg")


def test_masks_may_lie_as_the_pictures_do_and_none_is_taken_twice(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    for name in ("1", "a/1", "b/1", "b/2", "c/2"):
        picture_file(f"in/{name}.png")
    for name in ("1", "a/1", "2"):
        mask_file(f"m/{name}.png")
    done = inpaint(tmp_path / "in", "-r", "--mask", tmp_path / "m", "-o", tmp_path / "out")
    assert done.code == 1
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert made == ["1.png", "a/1.png"]
    told = done.err.replace("\\", "/")
    assert all(f"m/{name}.png is not there" in told for name in ("b/1", "b/2", "c/2"))  # 2.png would be that of two pictures


def test_masks_among_the_pictures_are_no_pictures(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    picture_file("in/a.png")
    mask = mask_file("in/masks/a.png")
    assert inpaint(tmp_path / "in", "-r", "--mask", mask.parent, "-o", tmp_path / "out").code == 0
    assert [path.name for path in (tmp_path / "out").rglob("*.png")] == ["a.png"]
    done = inpaint(tmp_path / "in", "--mask", mask_file("in/mask.png"))
    assert done.code == 0
    assert sorted(path.name for path in (tmp_path / "in").glob("*.png")) == ["a.inpaint.png", "a.png", "mask.png"]


def test_masks_below_folders_that_are_not_looked_into_are_not_missed(inpaint, picture_file, mask_file, tmp_path) -> None:
    for name in ("in/a.png", "in/sub/b.png"):
        picture_file(name)
    for name in ("m/a.png", "m/sub/b.png"):
        mask_file(name)
    assert inpaint(tmp_path / "in", "--mask", tmp_path / "m", "-o", tmp_path / "out").code == 0


@pytest.mark.parametrize("sampler", [name for name in offered() if name != "pixelwise"])
def test_a_sampler_by_its_name_alone_takes_the_steps_it_needs(sampler: str, tiny_checkpoint) -> None:
    for preset in ("default", "fast", "best"):
        schedule = Prior(SamplerSettings(preset, sampler, checkpoint=str(tiny_checkpoint("prior"))), "pixels").schedule
        assert schedule.steps > 1
        assert not schedule.pyramid


@pytest.mark.parametrize("operator", ["area", "grid"])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_enlarged_transparency_holds_what_it_was(operator: str, kind: str, tiny_checkpoint) -> None:
    alpha = np.zeros((20, 24), np.uint8)
    alpha[5:11, 7:] = 255
    alpha[12:] = np.random.default_rng(0).integers(0, 256, (8, 24))
    alpha = (alpha / np.float32(255)).astype(kind) if kind == "float32" else alpha
    pixels = scene(20, 24) if kind == "uint8" else scene(20, 24) / np.float32(255)
    settings = SamplerSettings(checkpoint=str(tiny_checkpoint("prior")), steps=1)
    large = upscale.Upscaler(settings, 2, operator).enlarge(Picture(pixels, alpha, "TIFF")).alpha
    assert large is not None
    assert (large.dtype, large.shape) == (alpha.dtype, (40, 48))
    assert large.min() >= 0
    assert large.max() <= top_of(alpha.dtype)
    back = large[::2, ::2] if operator == "grid" else large.astype(np.float64).reshape(20, 2, 24, 2).mean((1, 3))
    assert np.abs(back - alpha).max() <= top_of(alpha.dtype) / 255


def test_thin_lines_of_a_mask_are_kept_when_it_is_brought_to_size(mask_file) -> None:
    values = np.zeros((192, 32), np.uint8)
    values[40] = 255
    file = mask_file(values=values)
    hole = hole_of(MaskSettings(file, resize=True), Picture(scene(48, 64), None, "PNG"), file).inside
    assert hole[10].all()
    assert hole.sum() == 64


def test_masks_of_one_name_and_masks_without_pictures_are_told(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    source = picture_file("in/a.png")
    mask_file("m/a.png")
    mask_file("m/zzz.png")
    assert inpaint(source, "--mask", tmp_path / "m", "-o", tmp_path / "out.png").code == 0  # one picture of more
    picture_file("in/b.png")
    done = inpaint(tmp_path / "in", "--mask", tmp_path / "m", "-o", tmp_path / "out")
    assert done.code == 1
    assert "zzz.png: no picture has its name" in done.err
    assert "b.png: has no mask" in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    dry_run = inpaint(tmp_path / "in", "--mask", tmp_path / "m", "-o", tmp_path / "dry", "-n")
    assert (dry_run.code, "b.png: has no mask" in dry_run.err) == (1, True)
    mask_file("m/a.bmp")
    done = inpaint(source, "--mask", tmp_path / "m", "-o", tmp_path / "other.png")
    assert (done.code, "both called as a.png is" in done.err) == (2, True)


def test_a_mask_is_not_written_over(inpaint, picture_file, mask_file) -> None:
    mask = mask_file()
    done = inpaint(picture_file("a.png"), "--mask", mask, "-o", mask, "--overwrite")
    assert (done.code, "is an input" in done.err) == (2, True)


def test_masks_are_paired_by_name_and_the_rest_goes_on(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    for name in ("in/a.png", "in/b.jpg", "in/c.png"):
        picture_file(name)
    mask_file("masks/a.png")
    mask_file("masks/b.png")
    done = inpaint(tmp_path / "in", "--mask", tmp_path / "masks", "-o", tmp_path / "out")
    assert done.code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.jpg"]
    assert "c.png: has no mask" in done.err


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("box", ("--mask-box", "12,10,18,10")),
        ("boxes", ("--mask-box", "12,10,9,10", "--mask-box", "21,10,9,10")),
        ("color", ("--mask-color", "#ff00ff")),
        ("alpha", ("--mask-from-alpha",)),
        ("inverted", ("--mask-invert",)),
        ("grey", ("--mask-threshold", "0.4")),
        ("small", ("--mask-resize",)),
    ],
)
def test_a_hole_can_be_said_in_many_ways(inpaint, mask_file, tmp_path: Path, mark: str, options: tuple[str, ...]) -> None:
    pixels, inside = scene(48, 64), np.zeros((48, 64), bool)
    inside[10:20, 12:30] = True
    picture = np.where(inside[..., None], np.uint8([255, 0, 255]), pixels) if mark == "color" else pixels
    if mark == "alpha":
        picture = np.dstack([pixels, np.where(inside, 100, 255).astype(np.uint8)])
    Image.fromarray(picture).save(tmp_path / "in.png")
    masks = {
        "inverted": np.where(inside, 0, 255),
        "grey": np.where(inside, 128, 0),
        "small": cv2.resize(inside.astype(np.uint8) * 255, (32, 24), interpolation=cv2.INTER_NEAREST),
    }
    if mark in masks:
        options = (*options, "--mask", str(mask_file(values=masks[mark].astype(np.uint8))))
    done = inpaint(tmp_path / "in.png", "-o", tmp_path / "out.png", *options)
    assert done.code == 0, done.err
    after = read_picture(tmp_path / "out.png")
    changed = (after.pixels != picture[..., :3]).any(2)
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.9
    if mark == "alpha":
        assert after.alpha is None
        assert inpaint(tmp_path / "in.png", "-o", tmp_path / "opaque.jpg", *options).code == 0
        refused = inpaint(tmp_path / "in.png", "-o", tmp_path / "see-through.jpg", "--mask-box", "1,1,9,9")
        assert (refused.code, "cannot hold transparency" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.full((30, 64), 255, np.uint8), "has 64 x 30 pixels, the picture 64 x 48; --mask-resize"),
        (np.zeros((48, 64), np.uint8), "the mask is empty: .* is all black; white is filled"),
        (np.eye(48, 64, dtype=np.uint16) * 255, "goes from 0 to 255 of 65535; make what is missing white"),
        (np.eye(48, 64, dtype=np.uint8), "goes from 0 to 1 of 255; make what is missing white"),
        (np.full((48, 64), 128, np.uint8), "grey values; .*--mask-threshold"),
        (np.full((48, 64, 3), (255, 0, 0), np.uint8), "is coloured; .*--mask-color"),
        (np.full((48, 64, 4), (255, 255, 255, 9), np.uint8), "is partly transparent"),
    ],
)
def test_masks_that_say_nothing_clear_are_one_line(inpaint, picture_file, mask_file, values: np.ndarray, told: str) -> None:
    source = picture_file("a.png")
    done = inpaint(source, "--mask", mask_file(values=values))
    assert done.code == 1
    assert len(done.err.strip().splitlines()) == 1
    assert __import__("re").search(told, done.err), done.err
    assert not source.with_name("a.inpaint.png").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "nothing says what to fill"),
        (("--mask", "missing.png"), "there is no mask missing.png"),
        (("--mask-box", "1,2,3"), "x,y,width,height"),
        (("--mask-color", "red"), "#rrggbb"),
        (("--mask-box", "1,1,2,2", "--mask-tolerance", 3), "--mask-tolerance is about --mask-color"),
        (("--mask-box", "1,1,2,2", "--mask-invert"), "about mask files"),
        (("--mask-box", "1,1,2,2", "--sampler", "magic"), "unknown sampler"),
        (("--mask-box", "1,1,2,2", "--preset", "magic"), "unknown preset"),
        (("--mask-box", "1,1,2,2", "--start", 1), "--start must be"),
        (("--mask-box", "1,1,2,2", "--stop", 1), "--stop must be"),
        (("--mask-box", "1,1,2,2", "--stop", 0.9), "--stop needs two steps"),
        (("--mask-box", "1,1,2,2", "--steps", 3, "--start", 0.5, "--stop", 0.4), "a time after --start (0.5)"),
        (("--mask-box", "1,1,2,2", "--samples", 0), "--samples goes from"),
        (("--mask-box", "1,1,2,2", "--mask-feather", -1), "--mask-feather goes from"),
        (("--mask-box", "1,1,2,2", "--sampler", "restora", "--steps", 1, "--corrections", 5), "come between steps"),
    ],
)
def test_senseless_requests_are_refused_before_any_work(irflow, picture_file, options: tuple[object, ...], told: str) -> None:
    done = irflow("inpaint", picture_file("a.png"), *options)
    assert done.code == 2
    assert told in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_the_pixelwise_walk_needs_known_pixels_and_a_prior_that_knows_times(irflow, picture_file, tiny_checkpoint) -> None:
    source = picture_file("a.png")
    options = ("--sampler", "pixelwise", "--checkpoint", tiny_checkpoint("prior"))
    done = irflow("upscale", source, *options)
    assert (done.code, "it needs known pixels, not means" in done.err) == (2, True)
    assert irflow("upscale", source, *options, "--operator", "grid").code == 0
    plain = irflow(
        "inpaint", source, "--mask-box", "1,1,9,9", "--sampler", "pixelwise", "--checkpoint", tiny_checkpoint("plain prior")
    )
    assert (plain.code, "does not know times per pixel" in plain.err) == (2, True)
    assert (
        irflow("inpaint", source, "--mask-box", "1,1,9,9", "--checkpoint", tiny_checkpoint("plain prior"), "--steps", 2).code
        == 0
    )


@pytest.mark.parametrize("command", [("inpaint", "--mask-box", "1,1,2,2"), ("upscale",)])
def test_a_network_that_is_no_prior_is_refused(irflow, picture_file, tiny_checkpoint, command: tuple[str, ...]) -> None:
    done = irflow(*command, picture_file("a.png"), "--checkpoint", tiny_checkpoint("derain"))
    assert done.code == 4
    assert "was trained for derain; this needs a prior" in done.err


def test_a_box_outside_of_the_picture_fails_alone(inpaint, picture_file, tmp_path: Path) -> None:
    picture_file("in/a.png")
    picture_file("in/b.png", 200, 200)
    done = inpaint(tmp_path / "in", "-o", tmp_path / "out", "--mask-box", "100,100,20,20")
    assert done.code == 1
    assert "a.png: the box 100,100,20,20 lies outside of its 64 x 48 pixels" in done.err
    assert (tmp_path / "out" / "b.png").exists()


def test_resume_looks_at_the_mask_too(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    source, target = picture_file("a.png"), tmp_path / "out"

    def filled() -> tuple[str, bytes]:
        done = inpaint(source, "-o", target, "--mask", tmp_path / "mask.png", "--resume", "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)["status"], (target / "a.png").read_bytes()

    mask_file()
    first = filled()
    assert first[0] == "done"
    assert filled() == ("skipped", first[1])
    mask_file(values=np.eye(48, 64, dtype=np.uint8) * 255)
    other = filled()
    assert other[0] == "done"
    assert other[1] != first[1]


@pytest.mark.parametrize("operator", ["area", "grid"])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("mode", "tile"), [("RGB", 448), ("RGB", 176), ("L", 176)])
def test_an_enlarged_picture_holds_its_input(
    irflow, tiny_checkpoint, picture_file, tmp_path: Path, monkeypatch, operator: str, scale: int, mode: str, tile: int
) -> None:
    monkeypatch.setattr(upscale, "TILE", tile)
    source = picture_file("small.png", 47, 33, mode)
    done = irflow("upscale", source, "--checkpoint", tiny_checkpoint("prior"), "--scale", scale, "--operator", operator)
    assert done.code == 0, done.err
    small, large = read_picture(source).pixels, read_picture(tmp_path / f"small.x{scale}.png").pixels
    assert large.shape == (47 * scale, 33 * scale, *small.shape[2:])
    if operator == "grid":
        assert np.array_equal(large[::scale, ::scale], small)
    else:
        means = large.reshape(47, scale, 33, scale, -1).astype(float).mean((1, 3)).reshape(small.shape)
        assert np.abs(means - small).max() <= 1


def test_tiles_of_an_enlarged_picture_leave_no_seam(tiny_checkpoint, monkeypatch) -> None:
    upscaler = upscale.Upscaler(SamplerSettings(checkpoint=str(tiny_checkpoint("prior"))), 2)
    ends = []
    for tile in (448, 160):
        monkeypatch.setattr(upscale, "TILE", tile)
        ends.append(upscaler.enlarge(Picture(scene(130, 100), None, "PNG")).pixels.astype(int))
    apart = np.abs(ends[0] - ends[1])
    assert apart.max() <= 3
    assert apart.mean() < 0.2


@pytest.mark.parametrize(
    ("options", "told"), [(("--scale", 5), "--scale is 2, 3 or 4"), (("--operator", "x"), "unknown operator")]
)
def test_scales_that_do_not_fit_are_refused(irflow, picture_file, options: tuple[object, ...], told: str) -> None:
    done = irflow("upscale", picture_file("a.png"), *options)
    assert (done.code, told in done.err) == (2, True)


def test_noise_goes_by_the_prior_too(irflow, tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    source, prior = picture_file("noisy.png"), tiny_checkpoint("prior")
    command = ("restore", source, "--task", "denoise", "--method", "prior", "--checkpoint", prior)
    for sigma in (25, 200):
        assert irflow(*command, "--sigma", sigma, "-o", tmp_path / f"{sigma}.png").code == 0
    assert irflow(*command, "--sigma", 0, "-o", tmp_path / "0.png").code == 0
    assert np.array_equal(read_picture(tmp_path / "0.png").pixels, read_picture(source).pixels)
    assert irflow(*command, "--sigma", 300).code == 2
    wrong = irflow("restore", source, "--task", "derain", "--method", "prior")
    assert (wrong.code, "--method prior is for --task denoise" in wrong.err) == (2, True)
    flow = irflow("restore", source, "--task", "denoise", "--method", "prior", "--checkpoint", tiny_checkpoint("denoise"))
    assert (flow.code, "not for a prior" in flow.err) == (4, True)


def test_presets_are_schedules() -> None:
    for name in PRESETS:
        SamplerSettings(name).check()
    assert SamplerSettings("paper").schedule("pixels") == Schedule("restora", 64, 1)
    assert SamplerSettings(sampler="restora", steps=5).schedule("pixels").corrections == 1  # as its name says
    assert SamplerSettings("fast", steps=3, sampler="bridge").schedule("means").corrections == 0
    assert SamplerSettings().schedule("pixels") == SamplerSettings("default").schedule("pixels")
    assert len({tuple(row) for row in PRESETS.values()}) == 1
    with pytest.raises(UsageError):
        SamplerSettings("paper", steps=0).check()


def test_a_colour_that_is_nowhere_is_an_empty_mask() -> None:
    with pytest.raises(ImageError, match="the mask is empty"):
        hole_of(MaskSettings(color="#00ff00"), Picture(scene(20, 20), None, "PNG"), None)


def test_a_mask_that_is_made_smaller_keeps_its_thin_lines(inpaint, picture_file, tmp_path: Path) -> None:
    lines = np.zeros((96 * 4, 128 * 4), np.uint8)
    cv2.line(lines, (10, 10), (500, 370), 255, 1)
    Image.fromarray(lines).save(tmp_path / "lines.png")
    source = picture_file("in.png", 96, 128)
    assert inpaint(source, "--mask", tmp_path / "lines.png", "--mask-resize", "-o", tmp_path / "out.png").code == 0
    touched = lines.reshape(96, 4, 128, 4).any(axis=(1, 3))
    changed = (read_picture(tmp_path / "out.png").pixels != read_picture(source).pixels).any(2)
    assert not (changed & ~touched).any()
    assert changed[touched].mean() > 0.8  # a few may come out as they were
