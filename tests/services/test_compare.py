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
