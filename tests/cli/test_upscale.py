"""`irflow upscale`: what is made smaller again is the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from irflow_cli.engines import upscaler as upscale
from irflow_cli.images.decode import read_picture


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


@pytest.mark.parametrize(
    ("options", "told"), [(("--scale", 5), "--scale is 2, 3 or 4"), (("--operator", "x"), "unknown --operator")]
)
def test_scales_that_do_not_fit_are_refused(irflow, picture_file, options: tuple[object, ...], told: str) -> None:
    done = irflow("upscale", picture_file("a.png"), *options)
    assert (done.code, told in done.err) == (2, True)
