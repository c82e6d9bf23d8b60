"""Before and after in one file."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from irflow_cli.images.formats import FORMATS
from irflow_cli.images.picture import Picture
from irflow_cli.services.compare import EXACT_PIXELS, make_page


def test_a_page_holds_pictures_that_are_too_long_for_jpeg() -> None:
    length = FORMATS["JPEG"].side + 1
    pixels = np.full((EXACT_PIXELS // length + 1, length, 3), 7, np.uint8)
    page, notes = make_page((Picture(pixels, None, "PNG"), Picture(pixels, None, "PNG")), ("a.png", "b.png"))
    found = re.findall(rb'src="data:image/(\w+);base64,([^"]+)"', page)
    assert [kind for kind, _ in found] == [b"png", b"png"] and not notes
    with Image.open(io.BytesIO(base64.b64decode(found[0][1]))) as shown:
        assert np.array_equal(np.asarray(shown), pixels)


def test_a_page_shows_transparency_that_lies_beyond_its_range() -> None:
    pixels, alpha = np.full((8, 8, 3), 0.5, np.float32), np.full((8, 8), 1.002, np.float32)
    alpha[0] = -0.5
    page, _ = make_page((Picture(pixels, alpha, "TIFF"), Picture(pixels, alpha, "TIFF")), ("a.tif", "b.tif"))
    found = re.findall(rb'src="data:image/png;base64,([^"]+)"', page)
    with Image.open(io.BytesIO(base64.b64decode(found[0]))) as shown:
        assert np.asarray(shown)[:, 0, 3].tolist() == [0] + 7 * [255]
