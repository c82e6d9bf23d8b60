"""A picture enlarged."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import scene

from irflow_cli.engines import upscaler as upscale
from irflow_cli.engines.settings import SamplerSettings
from irflow_cli.images.picture import Picture, top_of


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


def test_tiles_of_an_enlarged_picture_leave_no_seam(tiny_checkpoint, monkeypatch) -> None:
    upscaler = upscale.Upscaler(SamplerSettings(checkpoint=str(tiny_checkpoint("prior"))), 2)
    ends = []
    for tile in (448, 160):
        monkeypatch.setattr(upscale, "TILE", tile)
        ends.append(upscaler.enlarge(Picture(scene(130, 100), None, "PNG")).pixels.astype(int))
    apart = np.abs(ends[0] - ends[1])
    assert apart.max() <= 1
    assert apart.mean() < 0.2


def test_a_turned_picture_is_enlarged_to_the_turned_result(tiny_checkpoint) -> None:
    """By `smooth`, whose answers are means over turns; by one call of a network it is not."""

    def apart(preset: str) -> int:
        upscaler = upscale.Upscaler(SamplerSettings(preset, checkpoint=str(tiny_checkpoint("prior"))), 2)
        plain, turned = (Picture(pixels, None, "PNG") for pixels in (scene(32, 40), np.rot90(scene(32, 40)).copy()))
        first, second = (upscaler.enlarge(one).pixels.astype(int) for one in (plain, turned))
        return int(np.abs(np.rot90(first) - second).max())

    assert apart("smooth") <= 1
    assert apart("auto") > 1


def test_a_prior_enlarges_more_than_twice_by_way_of_twice(tiny_checkpoint, monkeypatch) -> None:
    """One that has not learned to enlarge begins in bicubic interpolation."""
    upscaler = upscale.Upscaler(SamplerSettings(checkpoint=str(tiny_checkpoint("prior"))), 3)
    begun: list[tuple[int, ...]] = []
    real = upscaler.prior.sample
    monkeypatch.setattr(upscaler.prior, "sample", lambda *given: begun.append(given[1].shape) or real(*given))
    for learned, expected in ((True, [(1, 3, 20, 24), (1, 3, 30, 36)]), (False, [(1, 3, 30, 36)])):
        begun.clear()
        monkeypatch.setattr(upscaler.prior, "enlarges", learned)
        upscaler.enlarge(Picture(scene(10, 12), None, "PNG"))
        assert begun == expected
