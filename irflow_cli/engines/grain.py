"""Where a picture is fine grain, such as grass, gravel or cloth: a prior fills it with a blur, and no seam shows in it."""

from __future__ import annotations

import cv2
import numpy as np

from irflow_cli.images.picture import top_of

LEAST = 4 / 255  # deviation of a pixel from the mean of those around it, white 1, from which on detail is seen
MOST = 10 / 255  # the same, where the picture is noisy, or grain all over
LOUDER = 1.5  # times what the quietest places of the picture have: where all are as loud, that is noise
FINE, PLACE, AROUND = 3, 7, 49  # pixels of a side: of what a pixel is compared with, of a place, and of what is looked at
SHARE = 0.9  # of the places around, which are all detail in grain; lines and edges are in few of them
KNOWN = 0.05  # of what is looked at, at least, has to be known
BAND = 256  # rows that are looked at together
STRIPS, ROWS, QUIETEST = 8, 48, 2.0  # strips of rows in which noise is looked for, and the percentage of quiet places
CUT = 0.06  # of white: as near to it, or to black, noise is cut off


def grain_of(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return where what is known around missing pixels is grain, (H, W), bool: of pixels (H, W) or (H, W, 3), of which some are
    missing (H, W), bool. Where nothing is missing for many rows it is not looked for."""
    least = min(MOST, max(LEAST, LOUDER * _noise(pixels, missing)))
    grain, margin = np.zeros(missing.shape, bool), (FINE + PLACE + AROUND) // 2
    for top in range(0, len(missing), BAND):
        bottom, first = top + BAND, max(0, top - margin)
        band = slice(first, bottom + margin)
        if missing[band].any():
            there, deviation = _detail(pixels[band], missing[band])
            lively = there & (deviation > least)
            places, found = (_sum(which.astype(np.float32), AROUND) for which in (there, lively))
            known = (found > SHARE * places) & (places > KNOWN * AROUND**2)
            grain[top:bottom] = known[top - first : bottom - first]
    return grain


def _noise(pixels: np.ndarray, missing: np.ndarray) -> float:
    """Return the deviation of detail in the quietest places of pixels, white 1; 0 where nothing is known."""
    starts = np.linspace(0, max(0, len(missing) - ROWS), STRIPS).astype(int)
    strips = [slice(start, start + ROWS) for start in dict.fromkeys(starts.tolist())]
    found = []
    for strip in strips:
        there, deviation = _detail(pixels[strip], missing[strip])
        whole = np.abs(_grey(pixels[strip], missing[strip]) - 0.5) < 0.5 - CUT
        found.append(deviation[there & (_sum(whole.astype(np.float32), PLACE) > PLACE**2 - 0.5)])
    every = np.concatenate(found)
    return float(np.percentile(every, QUIETEST)) if every.size else 0.0


def _detail(pixels: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return of places around all pixels whether enough is known, and the deviation of the detail there, white 1, (H, W)."""
    grey = _grey(pixels, missing)
    whole = _sum((~missing).astype(np.float32), FINE) > FINE**2 - 0.5
    detail = np.where(whole, grey - _sum(grey, FINE) / FINE**2, np.float32(0))
    counted = _sum(whole.astype(np.float32), PLACE)
    return counted > PLACE**2 / 4, np.sqrt(_sum(detail**2, PLACE).clip(0) / counted.clip(1))


def _grey(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return pixels as the means of their channels, (H, W), white 1; 0 where they are missing, whatever lies there."""
    grey = (pixels if pixels.ndim == 2 else pixels.mean(2, dtype=np.float64)).astype(np.float32) / np.float32(
        top_of(pixels.dtype)
    )
    return np.where(missing, np.float32(0), grey)


def _sum(values: np.ndarray, side: int) -> np.ndarray:
    """Return sums of values (H, W) over squares around every pixel."""
    return cv2.boxFilter(values, -1, (side, side), normalize=False, borderType=cv2.BORDER_REFLECT)
