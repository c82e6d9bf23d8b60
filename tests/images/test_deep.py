"""Deep TIFFs, as we write them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_deep_tiff_is_turned_upright(dtype: type, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(0).integers(0, 255, (12, 20, 3)).astype(dtype)
    turned = (274, 3, 1, 6, True)  # orientation: a quarter to the right
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", metadata=None, extratags=[turned])
    picture = read_picture(tmp_path / "a.tif", span=(0, 1) if dtype == np.float32 else None)
    assert np.array_equal(picture.pixels, np.rot90(pixels, -1))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(9, 13), (9, 13, 3), (9, 13, 4)])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_others_read_our_deep_tiffs(dtype: type, shape: tuple[int, ...], compression: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = (np.random.default_rng(0).random(shape) * (65535 if dtype == np.uint16 else 1)).astype(dtype)
    colour, alpha = (pixels, None) if shape[-1] != 4 else (pixels[..., :3], pixels[..., 3])
    data, _ = encode_picture(Picture(colour, alpha, "TIFF", coding={"compression": compression}), "TIFF")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert np.array_equal(file.asarray(), pixels)
        assert file.pages[0].compression == (1 if compression == "raw" else 8)
