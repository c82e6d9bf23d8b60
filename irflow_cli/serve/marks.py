"""Where a picture is to be filled: by a colour, or as a file of a mask says."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from irflow_cli.errors import ImageError, UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.serve.bits import Bits
from irflow_cli.services.masks import MaskSettings, hole_of


def near_colour(picture: Picture, point: tuple[int, int], tolerance: int, joined: bool) -> Bits:
    """Return where a picture has the colour of a point (x, y), to within `tolerance` of 255 a channel, as --mask-color has it;
    joined: only what is connected with the point. Raises UsageError for a point outside of it."""
    (x, y), (height, width) = point, picture.pixels.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise UsageError("the point lies outside of the picture")
    if not 0 <= tolerance <= 255:
        raise UsageError(f"the tolerance goes from 0 to 255, got {tolerance}")
    pixels = picture.rgb8()
    wanted = pixels[y, x].astype(int)
    low, high = (tuple(int(value) for value in np.clip(wanted + way * tolerance, 0, 255)) for way in (-1, 1))
    inside = cv2.inRange(pixels, low, high) > 0
    if joined:
        _, labels = cv2.connectedComponents(inside.view(np.uint8), connectivity=8)
        inside = labels == labels[y, x]
    return Bits.of(inside)


def bits_of_file(data: bytes, name: str, picture: Picture, max_pixels: int) -> Bits:
    """Return what a mask's file says is missing in a picture, as `irflow inpaint --mask` reads it; grey from the middle on.
    One of another size is brought to the picture's. Raises ImageError for one that is no mask."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mask"
        file.write_bytes(data)
        try:
            return Bits.of(hole_of(MaskSettings(mask=file, threshold=0.5, resize=True), picture, file, max_pixels).inside)
        except ImageError as error:
            raise ImageError(str(error).replace(str(file), name)) from None


def mask_file(inside: np.ndarray) -> bytes:
    """Return a mask (H, W), bool, as the bytes of a PNG, white where it is."""
    buffer = io.BytesIO()
    Image.fromarray(inside).save(buffer, "PNG")
    return buffer.getvalue()
