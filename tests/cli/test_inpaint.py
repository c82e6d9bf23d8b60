"""`irflow inpaint` and `irflow upscale` from end to end, on a prior of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.images.decode import read_picture
from irflow_cli.services.masks import MaskSettings, hole_of


@pytest.fixture
def inpaint(tiny_checkpoint, irflow) -> Callable:
    """Return `irflow inpaint` with a tiny prior, in two steps."""
    return lambda *arguments: irflow("inpaint", "--checkpoint", tiny_checkpoint("prior"), "--steps", 2, *arguments)


def deep(path: Path, grey: bool, alpha: bool) -> None:
    """Write a 16-bit PNG whose low bytes say something."""
    pixels = scene(48, 64).astype(np.uint16) * 257 + np.arange(48 * 64, dtype=np.uint16).reshape(48, 64, 1) % 250
    if grey:
        pixels = pixels[..., 0]
    elif alpha:
        pixels = np.dstack([pixels, np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21])
    cv2.imwrite(str(path), pixels)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *(
            (kind, ("--mask-dilate", 2, "--mask-feather", 3))
            for kind in ("rgb8", "grey8", "rgba8", "rgb16", "grey16", "rgba16")
        ),
        *(("rgb8", options) for options in ((), ("--mask-dilate", 3), ("--mask-feather", 4))),
    ],
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


def test_nearly_all_may_be_missing_with_a_warning_and_all_may_not(inpaint, picture_file, mask_file) -> None:
    white = np.full((48, 64), 255, np.uint8)
    all_of_it = inpaint(picture_file("a.png"), "--mask", mask_file("white.png", white))
    assert (all_of_it.code, len(all_of_it.err.splitlines())) == (1, 1)
    assert "all of it is missing" in all_of_it.err
    white[:4] = 0
    done = inpaint(picture_file("a.png"), "--mask", mask_file("most.png", white))
    assert done.code == 0
    assert "92% of it is missing" in done.err
    scattered = np.where(np.random.default_rng(0).random((48, 64)) < 0.8, 255, 0).astype(np.uint8)
    done = inpaint(picture_file("b.png"), "--mask", mask_file("scattered.png", scattered))
    assert (done.code, "is missing" in done.err) == (0, False)


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
    assert "a-1.inpaint.png and 2 more exist;" in again.err


def test_several_proposals_need_files_and_a_sampler_that_draws(inpaint, picture_file, mask_file) -> None:
    source, mask = picture_file("a.png"), mask_file()
    piped = inpaint("-", "--mask", mask, "--samples", 2)
    assert (piped.code, "several files" in piped.err) == (2, True)
    for preset in ("fast", "smooth"):
        for more in ((), ("-n",)):
            mean = inpaint(source, "--mask", mask, "--samples", 2, "--preset", preset, "--steps", 1, *more)
            assert (mean.code, "has one result" in mean.err) == (2, True)


def test_a_format_that_codes_anew_is_told(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    done = inpaint(picture_file("a.jpg"), "--mask", mask_file())
    assert (done.code, "codes all pixels anew; --format png" in done.err) == (0, True)
    assert "anew" not in inpaint(tmp_path / "a.jpg", "--mask", mask_file(), "--format", "png").err


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


def test_masks_of_one_name_and_masks_without_pictures_are_told(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    source = picture_file("in/a.png")
    mask_file("m/a.png")
    mask_file("m/zzz.png")
    assert inpaint(source, "--mask", tmp_path / "m", "-o", tmp_path / "out.png").code == 0  # one picture of more
    picture_file("in/b.png")
    done = inpaint(tmp_path / "in", "--mask", tmp_path / "m", "-o", tmp_path / "out")
    assert done.code == 1  # for b.png
    assert "zzz.png: this mask is unused: no picture has its name" in done.err
    assert "b.png: has no mask" in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    dry_run = inpaint(tmp_path / "in", "--mask", tmp_path / "m", "-o", tmp_path / "dry", "-n")
    assert (dry_run.code, "b.png: has no mask" in dry_run.err) == (1, True)
    mask_file("m/a.bmp")
    done = inpaint(source, "--mask", tmp_path / "m", "-o", tmp_path / "other.png")
    assert (done.code, "both called as a.png is" in done.err) == (2, True)


def test_masks_of_other_shards_are_not_called_unused(inpaint, picture_file, mask_file, tmp_path: Path) -> None:
    for name in "abcd":
        picture_file(f"in/{name}.png")
        mask_file(f"m/{name}.png")
    mask_file("m/zzz.png")
    given = (tmp_path / "in", "--mask", tmp_path / "m", "-o", tmp_path / "out")
    told = [inpaint(*given, "--shard", f"{part}/3").err for part in (1, 2, 3)]
    assert [text.count("unused") for text in told] == [1, 0, 0] and "zzz.png: this mask is unused" in told[0]


def test_known_numbers_stay_exact_where_transparency_goes(inpaint, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(0).random((40, 44, 4)).astype(np.float32) * 255
    pixels[..., 3] = 255
    pixels[10:14, 10:20, 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    assert inpaint(tmp_path / "a.tif", "--mask-from-alpha", "--range", "0..255", "-o", tmp_path / "b.tif").code == 0
    filled, known = tifffile.imread(tmp_path / "b.tif"), pixels[..., 3] > 0
    assert np.array_equal(filled[known], pixels[..., :3][known]) and filled.shape == (40, 44, 3)


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


def test_a_range_is_that_of_the_mask_too(inpaint, picture_file, tmp_path: Path) -> None:
    Image.fromarray(np.eye(48, 64, dtype=np.float32) * 255).save(tmp_path / "mask.tif")
    given = (picture_file("a.png"), "--mask", tmp_path / "mask.tif")
    assert "--range" in inpaint(*given).err
    assert inpaint(*given, "--range", "0..255").code == 0


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
        (("--mask-box", "1,2,00,3"), "x,y,width,height"),
        (("--mask-box", "1,2,3," + 5000 * "9"), "x,y,width,height"),
        (("--mask-color", "no-colour"), "#rrggbb"),
        (("--mask-box", "1,1,2,2", "--mask-tolerance", 3), "--mask-tolerance is about --mask-color"),
        (("--mask-box", "1,1,2,2", "--mask-invert"), "about mask files"),
        (("--mask-box", "1,1,2,2", "--sampler", "magic"), "unknown --sampler"),
        (("--mask-box", "1,1,2,2", "--preset", "magic"), "unknown --preset"),
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


def test_the_pixelwise_sampler_needs_known_pixels_and_a_prior_that_knows_times(irflow, picture_file, tiny_checkpoint) -> None:
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
