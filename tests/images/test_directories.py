"""Pages of a TIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import scene

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import read_picture


@pytest.mark.parametrize(("kind", "told"), [(4, "of them masks"), (2, "2 frames"), (0, "2 frames")])
def test_pages_are_taken_apart_or_named(kind: int, told: str, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(scene(20, 30), photometric="rgb", metadata=None)
        of_mask = {"photometric": "mask"} if kind == 4 else {}
        file.write(np.zeros((20, 30), bool), subfiletype=kind, metadata=None, **of_mask)
    if kind == 4:
        picture = read_picture(tmp_path / "a.tif")
        assert np.array_equal(picture.pixels, scene(20, 30))
        assert "masks of the first" in picture.notes[0]
        return
    with pytest.raises(ImageError, match=told):
        read_picture(tmp_path / "a.tif")
