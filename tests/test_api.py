"""The Python API: what goes in comes out."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import scene
from PIL import Image

import irflow_cli
from irflow_cli.errors import UsageError

RNG = np.random.default_rng(0)


@pytest.fixture
def derain(tiny_checkpoint):
    """Return restore() for derain with a tiny checkpoint, loaded once."""
    checkpoint = irflow_cli.load_checkpoint(tiny_checkpoint("derain"))
    return lambda picture, **settings: irflow_cli.restore(picture, "derain", checkpoint=checkpoint, **settings)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
def test_arrays_keep_type_shape_and_alpha(derain, dtype: type, shape: tuple[int, ...]) -> None:
    picture = RNG.random(shape)
    picture = picture.astype(dtype) if dtype in (np.float32, np.float64) else (picture * np.iinfo(dtype).max).astype(dtype)
    before = picture.copy()
    restored = derain(picture)
    assert (restored.dtype, restored.shape) == (picture.dtype, picture.shape)
    assert np.array_equal(picture, before)
    colour = restored[..., :3] if len(shape) == 3 else restored
    assert not np.array_equal(colour, picture[..., :3] if len(shape) == 3 else picture)
    if shape[-1] == 4:
        assert np.allclose(restored[..., 3], picture[..., 3], atol=1 / 65535)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pillow_images_keep_mode_and_size(derain, mode: str) -> None:
    picture = Image.fromarray(scene(20, 30)).convert(mode)
    restored = derain(picture, steps=2)
    assert (restored.mode, restored.size) == (mode, picture.size)


def test_a_name_finds_the_shipped_checkpoint() -> None:
    picture = scene(24, 24)
    by_name = irflow_cli.restore(picture, "derain", checkpoint="derain", device="cpu")
    assert np.array_equal(by_name, irflow_cli.restore(picture, "derain", device="cpu"))


@pytest.mark.parametrize("picture", [np.zeros((3, 3), int), np.zeros((2, 2, 7), np.uint8), np.zeros((0, 3), np.uint8), "a.png"])
def test_other_things_are_refused(derain, picture: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        derain(picture)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = irflow_cli.nothing
