"""Where a picture is fine grain, such as grass, gravel or cloth: a prior fills it with a blur, and no seam shows in it."""

from __future__ import annotations

import cv2
import numpy as np

from irflow_cli.images.picture import top_of

LEAST = 4 / 255  # deviation of a pixel from the mean of those around it, white 1, from which on detail is seen
FINE, PLACE, AROUND = 3, 7, 49  # pixels of a side: of what a pixel is compared with, of a place, and of what is looked at
SHARE = 0.9  # of the places around, which are all detail in grain; lines and edges are in few of them
KNOWN = 0.05  # of what is looked at, at least, has to be known
BAND = 256  # rows that are looked at together


def grain_of(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return where what is known around missing pixels is grain, (H, W), bool: of pixels (H, W) or (H, W, 3), of which some are
    missing (H, W), bool. Where nothing is missing for many rows it is not looked for."""
    grain, margin = np.zeros(missing.shape, bool), (FINE + PLACE + AROUND) // 2
    for top in range(0, len(missing), BAND):
        bottom = top + BAND
        if missing[max(0, top - margin) : bottom + margin].any():
            first = max(0, top - margin)
            band = slice(first, bottom + margin)
            grain[top:bottom] = _grain_of(pixels[band], missing[band])[top - first : bottom - first]
    return grain


def _grain_of(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    grey = (pixels if pixels.ndim == 2 else pixels.mean(2)).astype(np.float32) / np.float32(top_of(pixels.dtype))
    whole = _sum((~missing).astype(np.float32), FINE) > FINE**2 - 0.5
    detail = np.where(whole, grey - _sum(grey, FINE) / FINE**2, np.float32(0))
    counted = _sum(whole.astype(np.float32), PLACE)
    there = counted > PLACE**2 / 4
    lively = there & (_sum(detail**2, PLACE) > LEAST**2 * counted)
    places, found = (_sum(which.astype(np.float32), AROUND) for which in (there, lively))
    return (found > SHARE * places) & (places > KNOWN * AROUND**2)


def _sum(values: np.ndarray, side: int) -> np.ndarray:
    """Return sums of values (H, W) over squares around every pixel."""
    return cv2.boxFilter(values, -1, (side, side), normalize=False, borderType=cv2.BORDER_REFLECT)
