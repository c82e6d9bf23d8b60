"""Masks as bits, pictures as tiles, what changed, and what a command would be."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from hypothesis import given
from hypothesis.extra import numpy as arrays
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture, as_depth
from irflow_cli.serve.bits import Bits
from irflow_cli.serve.folder import Folder
from irflow_cli.serve.lobby import Lobby
from irflow_cli.serve.marks import near_colour
from irflow_cli.serve.run import ServeSettings, _studio
from irflow_cli.serve.saving import Wish, command, passes
from irflow_cli.serve.steps import Engines, Inpaint, Restore, Upscale, proposals_of, step_of
from irflow_cli.serve.views import TILE, View, changes, difference_tile
from irflow_cli.serve.worker import Worker
from irflow_cli.tasks import MAX_PIXELS


@given(arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_bits_are_the_mask(inside: np.ndarray) -> None:
    bits = Bits.of(inside)
    assert np.array_equal(bits.inside(inside.shape), inside)
    if inside.any():
        assert Bits.read(bits.message(), inside.shape) == bits


@pytest.mark.parametrize("change", ["short", "long", "aside", "below", "flat", "header"])
def test_bits_that_do_not_fit_are_refused(change: str) -> None:
    inside = np.zeros((20, 30), bool)
    inside[4:9, 5:25] = True
    bits = Bits.of(inside)
    wrong = {
        "short": replace(bits, packed=bits.packed[:-1]),
        "long": replace(bits, packed=bits.packed + b"x"),
        "aside": replace(bits, left=11),
        "below": replace(bits, top=2**32 - 1),
        "flat": replace(bits, height=0, packed=b""),
    }
    data = b"123" if change == "header" else wrong[change].message()
    with pytest.raises(UsageError):
        Bits.read(data, inside.shape)


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


DOT = Bits(0, 0, 1, 1, b"\x80")


@pytest.mark.parametrize(
    ("name", "steps", "wish", "lines"),
    [
        ("a.png", [Restore("derain")], Wish(), ["irflow restore a.png --task derain"]),
        (
            "my cat.jpg",
            [Restore("denoise", 2, 0.5, 12.0)],
            Wish(),
            ["irflow restore 'my cat.jpg' --task denoise --steps 2 --strength 0.5 --sigma 12.0"],
        ),
        (
            "a.jpg",
            [Restore("derain"), Restore("denoise")],
            Wish(),
            [
                "irflow restore a.jpg --task derain --format png",
                "irflow restore a.derain.png --task denoise --format jpg",
            ],
        ),
        (
            "in/a.png",
            [Inpaint(DOT, (1, 1), "smooth", 3, 2, 4), Upscale(3)],
            Wish("webp"),
            [
                "irflow inpaint in/a.png --mask in/a.mask.png --preset smooth --seed 3 --mask-dilate 2 --mask-feather 4",
                "irflow upscale in/a.inpaint.png --scale 3 --format webp",
            ],
        ),
    ],
)
def test_the_command_says_what_was_done(name: str, steps: list, wish: Wish, lines: list[str]) -> None:
    assert command(passes(name, steps, wish), wish, Engines(), {}) == " && \\\n".join(lines)


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "train"},
        {"kind": "restore"},
        {"kind": "restore", "task": "derain", "device": "cuda"},
        {"kind": "restore", "task": "derain", "steps": "1"},
        {"kind": "restore", "task": "derain", "steps": True},
        {"kind": "upscale", "scale": 2.5},
        {"kind": "inpaint"},
        {},
    ],
)
def test_messages_that_make_no_sense_are_refused(asked: dict) -> None:
    with pytest.raises(UsageError):
        step_of(asked)


def test_proposals_have_seeds_of_their_own() -> None:
    assert [step.seed for step in proposals_of(Inpaint(DOT, seed=5), 3)] == [5, 6, 7]  # type: ignore[attr-defined]
    assert {step.preset for step in proposals_of(Inpaint(DOT), 2)} == {"varied"}  # type: ignore[attr-defined]
    assert proposals_of(Inpaint(DOT), 1) == [Inpaint(DOT)]
    with pytest.raises(UsageError):
        proposals_of(Inpaint(DOT), 9)


@pytest.mark.parametrize("opened", [10, 2**26, 2**28])
def test_results_may_be_as_large_as_those_of_the_commands(opened: int) -> None:
    made = _studio(ServeSettings(max_pixels=opened), Lobby(Folder(Path()), opened), Worker())
    assert made.lobby.max_pixels == opened and made.engines.max_pixels == max(opened, MAX_PIXELS)
    assert ServeSettings().max_pixels < 10**8 < MAX_PIXELS


@pytest.mark.parametrize(("wrong", "field"), [({"port": 70_000, "max_pixels": 0}, "port"), ({"max_pixels": 0}, "max_pixels")])
def test_the_first_setting_that_makes_no_sense_is_told(wrong: dict[str, int], field: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ServeSettings(tmp_path, **wrong).check()  # type: ignore[arg-type]
    assert caught.value.field == field
    with pytest.raises(UsageError, match="there is no folder"):
        ServeSettings(tmp_path / "none", **wrong).check()  # type: ignore[arg-type]
