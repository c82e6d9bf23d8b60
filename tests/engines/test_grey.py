"""Black-and-white photographs that are stored in colour gain none, whatever is done to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.engines.degrader import degrade_picture
from irflow_cli.engines.grey import as_colour, grey_of
from irflow_cli.engines.holes import Hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings, SamplerSettings
from irflow_cli.engines.upscaler import Upscaler
from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import FORMATS
from irflow_cli.images.picture import Picture, as_depth

INSIDE = np.zeros((48, 64), bool)
INSIDE[10:20, 30:44] = True


def grey_scene(dtype: str = "uint8") -> Picture:
    return Picture(np.repeat(as_depth(scene(48, 64)[..., :1], np.dtype(dtype)), 3, axis=2), None, "PNG")


def worked(what: str, picture: Picture, checkpoint: Callable[[str], Path]) -> Picture:
    kind, _, how = what.partition(" ")
    prior = str(checkpoint("prior"))
    if kind == "inpaint":
        return Inpainter(SamplerSettings(preset=how or None, checkpoint=prior)).fill(picture, Hole(INSIDE))
    if kind == "upscale":
        return Upscaler(SamplerSettings(checkpoint=prior), 2).enlarge(picture)
    options = {"method": "prior", "checkpoint": prior} if how == "prior" else {"checkpoint": str(checkpoint(kind))}
    sigma = 20.0 if kind == "denoise" else None
    return Restorer(RestoreSettings(kind, sigma=sigma, **options)).restore(picture)[0]


@pytest.mark.parametrize("what", ["inpaint", "inpaint varied", "upscale", "derain", "denoise", "denoise prior"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_grey_in_grey_out(what: str, dtype: str, tiny_checkpoint: Callable[[str], Path]) -> None:
    picture = grey_scene(dtype)
    before = picture.pixels.copy()
    done = worked(what, picture, tiny_checkpoint).pixels
    assert done.shape[2] == 3
    assert done.dtype == before.dtype
    assert np.array_equal(done[..., 0], done[..., 1])
    assert np.array_equal(done[..., 0], done[..., 2])
    assert done.shape != before.shape or not np.array_equal(done, before)
    if what.startswith("inpaint"):
        assert np.array_equal(done[~INSIDE], before[~INSIDE])


def test_what_covers_a_hole_may_be_coloured(tiny_checkpoint: Callable[[str], Path]) -> None:
    picture = grey_scene()
    picture.pixels[INSIDE] = (255, 0, 0)
    done = worked("inpaint", picture, tiny_checkpoint).pixels
    assert np.ptp(done, axis=2).max() == 0


def test_a_batch_of_grey_and_colour_is_as_each_alone(tiny_checkpoint: Callable[[str], Path]) -> None:
    restorer = Restorer(RestoreSettings("derain", checkpoint=str(tiny_checkpoint("derain"))))
    makers = (grey_scene, lambda: Picture(scene(48, 64), None, "PNG"), grey_scene)
    together = restorer.restore_batch([make() for make in makers])
    for (done, _), make in zip(together, makers, strict=True):
        assert np.abs(done.pixels.astype(int) - restorer.restore(make())[0].pixels).max() <= 1


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_degraded_grey_is_grey(kind: str) -> None:
    done = degrade_picture(grey_scene(), kind, DEGRADATIONS[kind].usual, seed=1).pixels
    assert np.ptp(done, axis=2).max() == 0


@pytest.mark.parametrize("kind", FORMATS)
def test_grey_is_seen_in_every_container(kind: str, tmp_path: Path) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif")
    path = tmp_path / "a"
    path.write_bytes(encode_picture(grey_scene(), kind)[0])
    picture = read_picture(path)
    assert picture.pixels.ndim == 2 or grey_of(picture) is not None
    path.write_bytes(encode_picture(Picture(scene(48, 64), None, "PNG"), kind)[0])
    assert grey_of(read_picture(path)) is None


def test_a_palette_of_greys_is_grey(tmp_path: Path) -> None:
    Image.fromarray(scene(48, 64)).convert("L").convert("P").save(tmp_path / "a.png")
    grey = grey_of(read_picture(tmp_path / "a.png"))
    assert grey is not None
    assert np.ptp(as_colour(grey).pixels, axis=2).max() == 0
