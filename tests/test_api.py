"""The Python API: what goes in comes out."""

from __future__ import annotations

import doctest
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import TINY, lively, scene
from PIL import Image

import irflow_cli
from irflow_cli import api
from irflow_cli.errors import ImageError, UsageError
from irflow_cli.runtime.checkpoints import Card, Checkpoint

RNG = np.random.default_rng(0)


def test_a_name_finds_the_shipped_checkpoint() -> None:
    picture = scene(24, 24)
    by_name = irflow_cli.restore(picture, "derain", checkpoint="derain", device="cpu")
    assert np.array_equal(by_name, irflow_cli.restore(picture, "derain", device="cpu"))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = irflow_cli.nothing


@pytest.fixture
def prior(tiny_checkpoint):
    """Return the tiny prior, loaded once."""
    return irflow_cli.load_checkpoint(tiny_checkpoint("prior"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
def test_holes_of_arrays_are_filled(prior, dtype: type, shape: tuple[int, ...]) -> None:
    picture = RNG.random(shape)
    picture = picture.astype(dtype) if np.dtype(dtype).kind == "f" else (picture * np.iinfo(dtype).max).astype(dtype)
    mask = np.zeros((20, 30), bool)
    mask[5:9, 8:20] = True
    filled = irflow_cli.inpaint(picture, mask, checkpoint=prior, steps=1)
    assert (filled.dtype, filled.shape) == (picture.dtype, picture.shape)
    assert np.array_equal(filled[~mask], picture[~mask])
    assert not np.array_equal(filled[mask], picture[mask])
    image = Image.fromarray((mask * 255).astype(np.uint8))
    assert np.array_equal(irflow_cli.inpaint(picture, image, checkpoint=prior, steps=1), filled)
    assert np.array_equal(irflow_cli.inpaint(picture, image.convert("RGB"), checkpoint=prior, steps=1), filled)
    wider = irflow_cli.inpaint(picture, mask, checkpoint=prior, steps=1, dilate=2, feather=1)
    assert (wider != filled).any()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_images_are_enlarged(prior, mode: str) -> None:
    picture = Image.fromarray(scene(12, 16)).convert(mode)
    large = irflow_cli.upscale(picture, 3, checkpoint=prior)
    assert (large.mode, large.size) == (mode, (48, 36))


def test_what_is_no_number_is_refused_but_where_it_is_missing(prior) -> None:
    picture, mask = scene(20, 24) / np.float32(255), np.zeros((20, 24), bool)
    mask[4:8, 4:9] = True
    picture[mask] = np.nan
    assert np.isfinite(irflow_cli.inpaint(picture, mask, checkpoint=prior)).all()
    less = np.zeros_like(mask)
    less[6, 6] = True  # the rest is within its reach
    assert np.isfinite(irflow_cli.inpaint(picture, less, dilate=4, checkpoint=prior)).all()
    picture[15, 3] = np.inf
    for work in (
        lambda: irflow_cli.inpaint(picture, mask, checkpoint=prior),
        lambda: irflow_cli.upscale(picture, checkpoint=prior),
        lambda: irflow_cli.restore(picture, "denoise", method="prior", sigma=5, checkpoint=prior),
    ):
        with pytest.raises(UsageError, match="nan or infinity"):
            work()


@pytest.mark.parametrize("seed", [2**70, np.int64(3), np.uint8(200)])
def test_a_seed_may_be_of_any_size_and_numpys(seed: int, prior) -> None:
    picture, inside = scene(16, 16), np.eye(16, dtype=bool)
    assert irflow_cli.restore(picture, "denoise", checkpoint=prior, method="prior", seed=seed).shape == (16, 16, 3)
    first, again = (irflow_cli.inpaint(picture, inside, checkpoint=prior, steps=1, seed=one) for one in (seed, int(seed)))
    assert np.array_equal(first, again)
    assert irflow_cli.upscale(picture, checkpoint=prior, seed=seed).shape == (32, 32, 3)


def test_masks_and_scales_that_do_not_fit_are_refused(prior) -> None:
    picture = scene(12, 16)
    for mode in ("I", "F"):
        with pytest.raises(UsageError, match=f"mode {mode} is not supported"):
            irflow_cli.inpaint(picture, Image.new(mode, (16, 12)), checkpoint=prior)
    with pytest.raises(UsageError, match="`mask` is"):
        irflow_cli.inpaint(picture, np.ones((5, 5), bool), checkpoint=prior)
    with pytest.raises(UsageError, match="`mask` is empty"):
        irflow_cli.inpaint(picture, np.ones((12, 16), np.uint8), checkpoint=prior)  # of 255
    with pytest.raises(UsageError, match=r"`mask` is \(H, W\)"):
        irflow_cli.inpaint(picture, np.ones((12, 16), int), checkpoint=prior)
    with pytest.raises(UsageError, match="`feather`"):
        irflow_cli.inpaint(picture, np.ones((12, 16), bool), checkpoint=prior, feather=-2)
    with pytest.raises(UsageError, match=r"`mask` is \(H, W\)"):
        irflow_cli.inpaint(picture, np.ones((12, 16, 3), bool), checkpoint=prior)
    for color in ("#ff0000", "#ffffff80"):
        with pytest.raises(UsageError, match="coloured or partly transparent"):
            irflow_cli.inpaint(picture, Image.new("RGBA", (16, 12), color), checkpoint=prior)
    with pytest.raises(UsageError, match="`scale`"):
        irflow_cli.upscale(picture, 7, checkpoint=prior)


def test_a_mask_of_sixteen_bits_is_white_where_it_is_white() -> None:
    picture, mask = scene(40, 40), np.full((40, 40), 1000, np.uint16)
    mask[10:14, 10:30] = 65535
    filled = irflow_cli.inpaint(picture, Image.fromarray(mask))
    assert np.array_equal(filled[mask == 1000], picture[mask == 1000])


def test_the_prior_takes_noise_out_of_grey_pictures_as_out_of_others() -> None:
    clean = scene(96, 96)
    grey = np.repeat(clean.mean(2, keepdims=True), 3, 2).round().astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 25, grey.shape)
    noise[..., 1] = noise[..., 2] = noise[..., 0]

    def left(pixels: np.ndarray) -> float:
        return float(np.square(pixels.reshape(96, 96, -1)[..., 0] - grey[..., 0].astype(float)).mean())

    noisy = (grey[..., 0] + noise[..., 0]).clip(0, 255).round().astype(np.uint8)
    one = left(irflow_cli.restore(noisy, "denoise", method="prior", sigma=25).astype(float))
    assert one < 0.3 * left(noisy.astype(float))


def test_an_object_is_loaded_once_and_called_on_many(tiny_checkpoint) -> None:
    derain = irflow_cli.Restorer("derain", checkpoint=tiny_checkpoint("derain"), steps=1)
    fill = irflow_cli.Inpainter(checkpoint=tiny_checkpoint("prior"), steps=1, seed=3)
    enlarge = irflow_cli.Upscaler(3, checkpoint=fill.checkpoint)
    mask = np.zeros((20, 24), bool)
    mask[4:9, 5:11] = True
    for seed in (0, 1):
        picture = scene(20, 24, seed)
        one = irflow_cli.restore(picture, "derain", checkpoint=derain.checkpoint, steps=1)
        assert np.array_equal(derain(picture), one)
        filled = irflow_cli.inpaint(picture, mask, checkpoint=fill.checkpoint, steps=1, seed=3)
        assert np.array_equal(fill(picture, mask), filled)
        assert np.array_equal(enlarge(picture), irflow_cli.upscale(picture, 3, checkpoint=fill.checkpoint))
    other = [
        irflow_cli.Inpainter(checkpoint=fill.checkpoint, preset="varied", seed=1)(picture, mask, seed=s) for s in (1, None, 2)
    ]
    assert np.array_equal(other[0], other[1])
    assert not np.array_equal(other[0], other[2])


def test_what_the_commands_tell_is_in_the_notes(tiny_checkpoint) -> None:
    beyond, most = scene(20, 24).astype(np.float32) / 255, np.ones((20, 24), bool)
    beyond[0, 0] = 1.02
    most[:2] = False
    fill = irflow_cli.Inpainter(checkpoint=tiny_checkpoint("prior"), preset="fast")
    fill(beyond, most)
    assert "it has values beyond 0 to 1; what is filled in stays between" in fill.notes and len(fill.notes) > 1
    fill(scene(20, 24), ~most)
    assert not any("beyond" in note for note in fill.notes)
    enlarge = irflow_cli.Upscaler(2, checkpoint=fill.checkpoint, max_pixels=4 * 20 * 24)
    enlarge(beyond)
    assert "values beyond 0 to 1 were clipped" in enlarge.notes
    with pytest.raises(ImageError, match="more than `max_pixels`"):
        irflow_cli.upscale(scene(20, 24), 2, checkpoint=fill.checkpoint, max_pixels=4 * 20 * 24 - 1)


@pytest.mark.parametrize("pictures", [5, None, "a.png", np.zeros((8, 8)), np.zeros((8, 9, 3)), Image.new("L", (8, 8))])
def test_a_batch_is_of_several_pictures(pictures: object, tiny_checkpoint) -> None:
    restorer = irflow_cli.Restorer("derain", checkpoint=tiny_checkpoint("derain"))
    with pytest.raises(UsageError, match="give a list of pictures"):
        restorer.batch(pictures)  # type: ignore[arg-type]


def test_engines_work_without_any_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a file was opened")

    nets = {task: lively(replace(TINY, time_map=task == "prior")) for task in ("derain", "prior")}
    made = {
        task: Checkpoint(net.eval(), Card(task, replace(TINY, time_map=task == "prior")), Path("none"))
        for task, net in nets.items()
    }
    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    picture, mask = scene(18, 22), np.eye(18, 22, dtype=bool)
    assert irflow_cli.Restorer("derain", checkpoint=made["derain"], tile=64)(picture).shape == (18, 22, 3)
    assert irflow_cli.Inpainter(checkpoint=made["prior"])(picture, mask).shape == (18, 22, 3)
    assert irflow_cli.Upscaler(2, checkpoint=made["prior"])(picture).shape == (36, 44, 3)


def test_the_package_is_typed_for_others() -> None:
    assert (Path(irflow_cli.__file__).parent / "py.typed").is_file()
    assert "Any" not in vars(api)


def test_examples_of_the_docstrings_hold() -> None:
    tried = doctest.testmod(api)
    assert tried.attempted >= 6
    assert not tried.failed
