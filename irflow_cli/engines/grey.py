"""Black-and-white photographs that are stored in colour: worked on as grey, so that they gain no colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from irflow_cli.images.picture import BAND, Picture

LOSSY = ("WEBP", "AVIF", "HEIF")  # whose decoders give greys that are a little coloured
NEARLY = 2  # of 255, how far apart the channels of such greys may be


def grey_of(picture: Picture, where: np.ndarray | None = None) -> Picture | None:
    """Return a picture whose red, green and blue are the same as a grey one (H, W), or None for others.

    where: the pixels (H, W), bool, that count. In lossy formats with rounding of their own, channels may differ by NEARLY.
    """
    pixels = picture.pixels
    if pixels.ndim != 3 or (where is not None and not where.any()):
        return None
    most = NEARLY if picture.format in LOSSY and pixels.dtype == np.uint8 else 0
    for top in range(0, len(pixels), BAND):
        band = pixels[top : top + BAND] if where is None else pixels[top : top + BAND][where[top : top + BAND]]
        green = band[..., 1]
        for other in (band[..., 0], band[..., 2]):
            same = green == other if most == 0 else np.abs(green.astype(np.int16) - other) <= most
            if not same.all():
                return None
    return replace(picture, pixels=np.ascontiguousarray(pixels[..., 1]))


def as_colour(grey: Picture) -> Picture:
    """Return a grey picture as one whose red, green and blue are the same."""
    return grey.with_pixels(np.repeat(grey.pixels[..., None], 3, axis=2))
