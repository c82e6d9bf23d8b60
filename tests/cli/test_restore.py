"""`irflow restore` from end to end, on a network of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image

from irflow_cli.batch.plan import ENDINGS
from irflow_cli.engines.backends import choice
from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import FORMATS
from irflow_cli.images.picture import Picture
from irflow_cli.nets import UNet


@pytest.fixture
def derain(tiny_checkpoint, irflow) -> Callable:
    """Return `irflow restore --task derain` with the tiny checkpoint."""
    return lambda *arguments: irflow("restore", "--task", "derain", "--checkpoint", tiny_checkpoint("derain"), *arguments)


def test_the_result_lies_beside_the_input_and_its_path_is_printed(derain, picture_file) -> None:
    source = picture_file("rainy.png")
    done = derain(source)
    assert (done.code, done.out) == (0, f"{source.with_name('rainy.derain.png')}\n")
    before, after = read_picture(source).pixels, read_picture(source.with_name("rainy.derain.png")).pixels
    assert after.shape == before.shape
    assert not np.array_equal(before, after)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.bmp"])
def test_the_format_is_kept(derain, picture_file, name: str) -> None:
    source = picture_file(name)
    done = derain(source, "-q")
    assert done.code == 0
    with Image.open(source) as one, Image.open(done.out.strip()) as other:
        assert one.format == other.format


def test_grey_stays_grey_and_alpha_is_untouched(derain, picture_file, tmp_path: Path) -> None:
    grey = picture_file("grey.png", mode="L")
    assert derain(grey).code == 0
    assert read_picture(tmp_path / "grey.derain.png").pixels.ndim == 2
    alpha = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)
    clear = tmp_path / "clear.png"
    Image.fromarray(np.dstack([scene(48, 64), alpha])).save(clear)
    assert derain(clear).code == 0
    assert np.array_equal(np.asarray(read_picture(tmp_path / "clear.derain.png").alpha), alpha)


def test_sixteen_bits_stay_sixteen(derain, tmp_path: Path) -> None:
    source = tmp_path / "deep.png"
    deep = (scene(40, 50).astype(np.uint16) << 8) + 77
    cv2.imwrite(str(source), deep)
    assert derain(source).code == 0
    restored = read_picture(tmp_path / "deep.derain.png").pixels
    assert restored.dtype == np.uint16
    assert len(np.unique(restored & 255)) > 50


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 17)])
def test_pictures_of_odd_sizes_work(derain, picture_file, size: tuple[int, int], tmp_path: Path) -> None:
    source = picture_file("odd.png", *size)
    assert derain(source).code == 0
    assert read_picture(tmp_path / "odd.derain.png").pixels.shape == (*size, 3)
    assert derain(source, "--tile", 0, "--overlap", 0, "-o", tmp_path / "whole.png").code == 0


def test_exif_orientation_is_honoured(derain, picture_file, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = picture_file("turned.jpg", 40, 60, exif=exif)
    assert derain(source).code == 0
    with Image.open(tmp_path / "turned.derain.jpg") as image:
        assert image.size == (40, 60)
        assert image.getexif().get(0x0112, 1) == 1


def test_tiles_show_no_seam(irflow, picture_file, tiny_checkpoint, tmp_path: Path) -> None:
    source = picture_file("large.png", 200, 260)
    jumps = {}
    for name, options in {
        "whole": ("--tile", 0),
        "cut": ("--tile", 96, "--overlap", 0),
        "blended": ("--tile", 96, "--overlap", 40),
    }.items():
        options = (*options, "--checkpoint", tiny_checkpoint("derain"))
        assert irflow("restore", source, "--task", "derain", "-o", tmp_path / f"{name}.png", *options).code == 0
        pixels = read_picture(tmp_path / f"{name}.png").pixels.astype(int)
        difference = pixels - read_picture(tmp_path / "whole.png").pixels
        jumps[name] = np.abs(np.diff(difference, axis=1)).mean((0, 2)).max()  # a seam is a column where it jumps
    assert jumps["whole"] == 0
    assert jumps["blended"] < 0.5 * jumps["cut"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("--steps", 1), ("--steps", 3)),
        (("--steps", 4, "--grid", "released"), ("--steps", 4, "--grid", "uniform")),
        (("--steps", 3, "--sampler", "euler"), ("--steps", 3, "--sampler", "heun")),
        (("--strength", 1), ("--strength", 0.5)),
        ((), ("--ensemble",)),
        (("--precision", "fp32"), ("--precision", "bf16")),
        (("--tile", 64, "--overlap", 0), ("--tile", 64, "--overlap", 30)),
    ],
)
def test_every_option_does_something(derain, picture_file, tmp_path: Path, first: tuple, second: tuple) -> None:
    source = picture_file("in.png", 90, 110)
    for name, options in (("first.png", first), ("again.png", first), ("second.png", second)):
        assert derain(source, "-o", tmp_path / name, *options).code == 0
    one, same, other = (read_picture(tmp_path / name).pixels for name in ("first.png", "again.png", "second.png"))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_strength_zero_changes_nothing(derain, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png")
    assert derain(source, "--strength", 0).code == 0
    assert np.array_equal(read_picture(source).pixels, read_picture(tmp_path / "in.derain.png").pixels)


@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("kind", [kind for kind, form in FORMATS.items() if form.exact == "always"])
def test_an_identity_network_changes_nothing(derain, kind: str, depth: str, tmp_path: Path) -> None:
    if depth not in FORMATS[kind].dtypes:
        pytest.skip(f"{kind} does not hold {depth}")
    top = 1 if depth == "float32" else np.iinfo(depth).max
    pixels = (np.random.default_rng(0).random((150, 170, 3)) * top).astype(depth)
    source = tmp_path / f"in{ENDINGS[kind]}"
    source.write_bytes(encode_picture(Picture(pixels, None, kind), kind)[0])
    done = derain(source, "--strength", 0, "--tile", 64, "--overlap", 16)
    back = read_picture(Path(done.out.strip())).pixels
    assert back.dtype == depth
    assert np.array_equal(back, pixels)


def test_tiles_that_overflow_in_half_precision_are_done_again(derain, picture_file, monkeypatch, tmp_path: Path) -> None:
    source = picture_file("in.png", 80, 200)
    assert derain(source, "--tile", 96, "-o", tmp_path / "full.png").code == 0
    real, precisions = UNet.forward, []

    def overflowing(net, *inputs):
        precisions.append(torch.is_autocast_enabled("cpu"))
        found = real(net, *inputs)
        return found * float("inf") if precisions[-1] else found

    monkeypatch.setattr(choice, "attempts", lambda loaded, choices: {one: choice.Trial(*one) for one in choices})
    monkeypatch.setattr(UNet, "forward", overflowing)
    done = derain(source, "--tile", 96, "--precision", "bf16", "-o", tmp_path / "half.png")
    assert done.code == 0
    assert "made again in fp32" in done.err
    assert set(precisions) == {True, False}
    assert np.array_equal(read_picture(tmp_path / "half.png").pixels, read_picture(tmp_path / "full.png").pixels)


def test_texture_is_a_measured_number_of_steps(irflow, tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    source = picture_file("noisy.png")
    base = ("restore", source, "--task", "denoise", "--sigma", 40, "--checkpoint", tiny_checkpoint("denoise"), "--overwrite")
    made = {}
    for name, options in {"usual": (), "textured": ("--texture",), "steps": ("--steps", 8)}.items():
        done = irflow(*base, "-o", tmp_path / f"{name}.png", *options)
        assert done.code == 0, done.err
        made[name] = read_picture(tmp_path / f"{name}.png").pixels
    assert np.array_equal(made["textured"], made["steps"])
    assert not np.array_equal(made["textured"], made["usual"])
    assert irflow(*base, "--texture", "--steps", 2).code == 2


def test_denoise_estimates_sigma_and_says_so(irflow, tiny_checkpoint, picture_file, tmp_path: Path) -> None:
    source = picture_file("noisy.png", 80, 80)
    base = ("restore", source, "--task", "denoise", "--checkpoint", tiny_checkpoint("denoise"))
    done = irflow(*base)
    assert done.code == 0
    assert "noise" in done.err
    told = irflow(*base, "--sigma", 40, "-o", tmp_path / "given.png")
    assert "noise" not in told.err
    assert not np.array_equal(read_picture(tmp_path / "given.png").pixels, read_picture(tmp_path / "noisy.denoise.png").pixels)


def test_a_folder_keeps_its_tree_and_a_broken_picture_does_not_stop_it(derain, picture_file, tmp_path: Path) -> None:
    picture_file("in/one.png")
    picture_file("in/deep/two.jpg")
    (tmp_path / "in" / "broken.png").write_text("not a picture")
    done = derain(tmp_path / "in", "-r", "-o", tmp_path / "out", "--json")
    assert done.code == 1
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert {Path(line["input"]).name: line["error"] is None for line in lines} == {
        "broken.png": False,
        "one.png": True,
        "two.jpg": True,
    }
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert found == ["deep/two.jpg", "one.png"]
    assert "1 of 3 pictures failed" in done.err


def test_own_outputs_are_not_read_again(derain, picture_file, tmp_path: Path) -> None:
    picture_file("in/one.png")
    assert derain(tmp_path / "in").code == 0
    again = derain(tmp_path / "in", "--overwrite")
    assert again.out.splitlines() == [str(tmp_path / "in" / "one.derain.png")]


def _no_output(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if ".derain" in path.name or path.name.endswith(".part")]


CHECKS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "missing file": (("none.png",), 1, "No such file"),
    "folder without pictures": (("empty",), 3, "no pictures"),
    "text named png": (("text.png",), 1, "not a picture"),
    "truncated JPEG": (("cut.jpg",), 1, "damaged or incomplete"),
    "0-byte file": (("zero.png",), 1, "empty"),
    "steps 0": (("good.png", "--steps", "0"), 2, "--steps"),
    "unknown grid": (("good.png", "--grid", "cubic"), 2, "released"),
    "unknown sampler": (("good.png", "--sampler", "rk4"), 2, "euler"),
    "unknown precision": (("good.png", "--precision", "int8"), 2, "bf16"),
    "sigma without noise": (("good.png", "--sigma", "10"), 2, "--sigma"),
    "strength": (("good.png", "--strength", "2.1"), 2, "--strength"),
    "texture": (("good.png", "--texture"), 2, "leave --texture out"),
    "tile": (("good.png", "--tile", "small"), 2, "--tile"),
    "tiny tile": (("good.png", "--tile", "8"), 2, "--tile"),
    "overlap": (("good.png", "--tile", "64", "--overlap", "40"), 2, "--overlap"),
    "unknown option": (("good.png", "--colour"), 2, "--colour"),
    "not a number": (("good.png", "--steps", "two"), 2, "--steps"),
    "unknown device": (("good.png", "--device", "abacus"), 2, "abacus"),
    "input as output": (("good.png", "-o", "good.png", "--overwrite"), 2, "input"),
    "two into one": (("good.png", "folder/good.png", "-o", "out"), 2, "both"),
    "many into a file": (("good.png", "folder/good.png", "-o", "out.png"), 2, "folder"),
    "unwritable output": (("good.png", "-o", "text.png/out.png"), 2, "none can be in its place"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_bad_input_is_one_line_with_the_right_code(name: str, derain, picture_file, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture_file("good.png")
    picture_file("folder/good.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "zero.png").touch()
    (tmp_path / "cut.jpg").write_bytes(picture_file("whole.jpg", 64, 64).read_bytes()[:500])
    arguments, code, message = CHECKS[name]
    done = derain(*arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert _no_output(tmp_path)


@pytest.mark.parametrize(
    ("task", "checkpoint", "code", "message"),
    [
        ("paint", None, 2, "unknown --task"),
        ("all-in-one", None, 2, "--checkpoint"),
        ("derain", "denoise", 4, "trained for denoise"),
        ("derain", "missing", 4, "neither"),
        ("derain", "text", 4, "damaged"),
    ],
)
def test_tasks_and_checkpoints_must_fit(task, checkpoint, code, message, irflow, tiny_checkpoint, picture_file) -> None:
    source = picture_file("in.png")
    text = source.with_name("text.safetensors")
    text.write_text("not a checkpoint at all")
    files = {"denoise": tiny_checkpoint("denoise"), "missing": "missing", "text": text}
    options = () if checkpoint is None else ("--checkpoint", files[checkpoint])
    done = irflow("restore", source, "--task", task, *options)
    assert done.code == code
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert _no_output(source.parent)


def test_existing_results_are_kept(derain, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png")
    (tmp_path / "in.derain.png").write_text("mine")
    done = derain(source)
    assert done.code == 2
    assert "--overwrite" in done.err
    assert (tmp_path / "in.derain.png").read_text() == "mine"
    assert derain(source, "--overwrite").code == 0


def test_an_animated_file_is_refused(derain, tmp_path: Path) -> None:
    frames = [Image.fromarray(scene(20, 20, seed)) for seed in range(2)]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    done = derain(tmp_path / "moving.webp")
    assert done.code == 1
    assert "2 frames" in done.err


def test_pictures_in_which_little_is_found_are_told(irflow, tmp_path: Path) -> None:
    clean, wet = scene(256, 256), tmp_path / "wet.png"
    Image.fromarray(clean).save(tmp_path / "clean.png")
    assert irflow("degrade", tmp_path / "clean.png", "-o", wet, "--kind", "rain-heavy").code == 0
    told = {}
    for name in ("clean", "wet"):
        done = irflow("restore", tmp_path / f"{name}.png", "--task", "derain", "-o", tmp_path / "out.png", "--overwrite")
        told[name] = done.err
    assert "almost nothing was found" in told["clean"] or "little was found to take out" in told["clean"]
    assert "found" not in told["wet"]
