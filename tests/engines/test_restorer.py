"""A network loaded once, and called on many pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from drawn import lively, scene
from PIL import Image

import irflow_cli
from irflow_cli import Restorer
from irflow_cli.degradations.noise import demosaicked
from irflow_cli.engines import restorer
from irflow_cli.engines.backends.table import BACKENDS
from irflow_cli.engines.mosaic import mosaic_of
from irflow_cli.errors import UsageError
from irflow_cli.nets.unet import NetSpec
from irflow_cli.runtime.checkpoints import Card, load_checkpoint, save_checkpoint


@pytest.mark.parametrize(
    ("engine", "precision"), [("torch", "fp32"), ("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")]
)
def test_one_object_works_for_several_threads(engine: str, precision: str, tiny_checkpoint) -> None:
    if engine != "torch":
        pytest.importorskip(engine)
    if why := BACKENDS[engine].refusal(precision):
        pytest.skip(f"{engine} {why}")
    derain = Restorer("derain", checkpoint=tiny_checkpoint("derain"), engine=engine, precision=precision)
    pictures = [scene(64, 96, seed) for seed in range(24)]
    expected = [derain(picture) for picture in pictures]
    torch.set_default_dtype(torch.float64)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(derain, pictures))
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(np.array_equal(np.asarray(one), np.asarray(other)) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("tile", [0, 128])
def test_noise_of_a_mosaic_is_seen_from_its_first_pixel_on(tile: int) -> None:
    denoise = Restorer("denoise", sigma=8, tile=tile, engine="torch", precision="fp32")
    draw = np.random.default_rng(0)
    noise = demosaicked(torch.from_numpy(draw.standard_normal((1, 3, 194, 194))).float())[0].permute(1, 2, 0).numpy()
    whole = np.clip(np.rint(scene(194, 194) + 8 * noise), 0, 255).astype(np.uint8)
    begins = [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [mosaic_of(whole[top:, left:]) for top, left in begins] == begins
    parts = [np.asarray(denoise(np.ascontiguousarray(whole[top:, left:]))) for top, left in begins]
    first = parts[0].astype(int)
    for (top, left), part in zip(begins, parts, strict=True):
        inner = slice(48, 140)
        moved = part[inner.start - top : inner.stop - top, inner.start - left : inner.stop - left]
        assert np.abs(moved - first[inner, inner]).max() <= 1


def test_a_batch_is_its_pictures_and_shares_calls(tiny_checkpoint, monkeypatch) -> None:
    denoise = irflow_cli.Restorer("denoise", checkpoint=tiny_checkpoint("denoise"), batch=2)
    pictures = [scene(16, 20, 0), scene(16, 20, 1)[..., 0], scene(16, 20, 2), Image.fromarray(scene(16, 20, 3)), scene(9, 9, 4)]
    alone = [np.asarray(denoise(picture)) for picture in pictures]
    noted = denoise.notes
    calls = []
    together = denoise.engine.restore_batch
    monkeypatch.setattr(denoise.engine, "restore_batch", lambda group: calls.append(len(group)) or together(group))
    batch = denoise.batch(pictures)
    assert sorted(calls) == [1, 1, 1, 2]
    assert [type(one) for one in batch] == [type(picture) for picture in pictures]
    assert all(np.abs(np.asarray(one).astype(int) - other).max() <= 1 for one, other in zip(batch, alone, strict=True))
    assert len(denoise.notes) == len(pictures) * len(noted)
    assert denoise.batch([]) == []
    with pytest.raises(UsageError, match="expected pixels"):
        denoise.batch([np.zeros((3, 3, 7), np.uint8)])


def test_strong_white_noise_is_looked_at_twice(tiny_checkpoint) -> None:
    """By one step, and unless it is said otherwise; what shares a batch does not matter, nor whether a level is given."""
    checkpoint, random = tiny_checkpoint("denoise"), np.random.default_rng(0)
    flat = np.full((96, 128, 3), 120.0)
    weak, strong = (np.round(flat + random.normal(0, sigma, flat.shape)).clip(0, 255).astype(np.uint8) for sigma in (6, 25))
    smooth = cv2.GaussianBlur(strong, (0, 0), 2)  # as noise is after demosaicking: not independent from pixel to pixel

    def found(*pictures: np.ndarray, **options: object) -> list[np.ndarray]:
        restore = Restorer("denoise", checkpoint=checkpoint, **options)  # type: ignore[arg-type]
        return [np.asarray(one).astype(float) for one in restore.batch(list(pictures))]

    for options in ({}, {"sigma": 25}, {"batch": 3}):
        usual = found(weak, strong, smooth, **options)
        once = found(weak, strong, smooth, ensemble=False, **options)
        turned = np.rot90(found(np.rot90(strong).copy(), ensemble=False, **options)[0], -1)
        assert np.array_equal(usual[0], once[0])
        assert np.array_equal(usual[2], once[2])
        assert np.abs(usual[1] - (once[1] + turned) / 2).max() <= 1
        assert not np.array_equal(usual[1], once[1])
    assert np.array_equal(found(strong, steps=2)[0], found(strong, steps=2, ensemble=False)[0])


def test_the_noise_that_may_be_given_is_what_the_network_knows(tiny_checkpoint) -> None:
    known = load_checkpoint(tiny_checkpoint("denoise"))
    for most in (25.0, 75.0):
        its = replace(known, card=replace(known.card, sigma_max=most))
        assert irflow_cli.restore(scene(16, 16), "denoise", checkpoint=its, sigma=most, device="cpu").shape == (16, 16, 3)
        with pytest.raises(UsageError, match=f"`sigma` goes from 0 to {most:g}, got"):
            irflow_cli.restore(scene(16, 16), "denoise", checkpoint=its, sigma=most + 1, device="cpu")


def test_a_checkpoint_on_another_device_stays_where_it_was_for_the_first(tiny_checkpoint) -> None:
    first = irflow_cli.Restorer("derain", checkpoint=tiny_checkpoint("derain"), device="cpu")
    elsewhere = first.checkpoint.on(torch.device("meta"))
    assert {one.device.type for one in elsewhere.parameters()} == {"meta"}
    assert elsewhere is first.checkpoint.on(torch.device("meta"))
    assert first.checkpoint.on(torch.device("cpu")) is first.checkpoint.net
    assert first(scene(16, 16)).shape == (16, 16, 3)


def test_noise_that_makes_three_channels_of_grey_is_of_the_picture(tiny_checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, plain = [], restorer.as_if_three

    def noted(part: torch.Tensor, levels: list[float | None], generators: list[torch.Generator]) -> object:
        three, entered = plain(part, levels, generators)
        seen.append((three - part).numpy())
        return three, entered

    monkeypatch.setattr(restorer, "as_if_three", noted)
    prior, one, other = tiny_checkpoint("prior"), scene(24, 24, 1)[..., 0], scene(24, 24, 2)[..., 0]
    for picture, seed in ((one, 0), (one, 0), (other, 0), (one, 1)):
        irflow_cli.restore(np.ascontiguousarray(picture), "denoise", method="prior", sigma=20, checkpoint=prior, seed=seed)
    first, again, another, reseeded = seen
    assert np.allclose(first, again, atol=1e-6)
    assert np.abs(first - another).max() > 0.01 and np.abs(first - reseeded).max() > 0.01


def test_a_tile_that_cannot_hold_its_overlap_is_told(tmp_path: Path) -> None:
    deep = NetSpec(widths=(2,) * 6, depths=(1,) * 6, unshuffle=2, embedding=8)
    save_checkpoint(tmp_path / "deep.safetensors", lively(deep).state_dict(), Card("derain", deep, None))
    known = load_checkpoint(tmp_path / "deep.safetensors")
    with pytest.raises(UsageError, match="`tile` must be at least 160 for this network and `overlap`"):
        irflow_cli.restore(scene(200, 200), "derain", checkpoint=known, tile=64, overlap=32, device="cpu")
    assert irflow_cli.restore(scene(200, 200), "derain", checkpoint=known, tile=160, overlap=32).shape == (200, 200, 3)


def test_drops_are_looked_for_at_half_the_size_too(tiny_checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more is found there the result is the mean of both, elsewhere that of the full size."""
    sides: list[tuple[int, ...]] = []

    def sample(self: object, source: torch.Tensor, sigmas: list[float | None], steps: int) -> torch.Tensor:
        sides.append(tuple(source.shape[2:]))
        small = torch.where(torch.arange(source.shape[3]) < 13, 0.4, 0.1)  # the left half, at half the size
        return source - (0.2 if len(sides) == 1 else small)

    monkeypatch.setattr(restorer.Restorer, "_sample", sample)
    picture = torch.full((1, 3, 33, 50), 0.8)
    for task, found in (("deraindrop", [(33, 50), (17, 25)]), ("derain", [(33, 50)])):
        sides.clear()
        engine = Restorer(task, checkpoint=tiny_checkpoint(task), device="cpu").engine
        darker = picture - engine.clean_tensor(picture, [None], [torch.Generator()])
        assert sides == found
        assert torch.allclose(darker[..., :20], torch.tensor(0.3 if len(found) == 2 else 0.2), atol=0.004)
        assert torch.allclose(darker[..., 32:], torch.tensor(0.2), atol=0.004)
