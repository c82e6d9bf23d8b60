"""Where the mosaic of a camera's sensor begins in a picture.

A sensor measures one colour at each pixel: red and green in one row, green and blue in the next. The others are means of those
around them, and the noise of means is weaker. It is weakest where blue was measured, of which brightness has least. A network
that has learned noise whose mosaic begins with red (`degradations.noise.demosaicked`) knows it there, and less well elsewhere.
"""

from __future__ import annotations

import numpy as np

from irflow_cli.images.picture import unit_of

SIDE = 1024  # pixels of the middle of a picture that are looked at
LOUD = 0.9  # the share of pixels whose differences count in full: edges of the picture are no noise
CLEAR = 0.025  # by this share of their mean the weakest of the four places is below it, and below the next one, at least
CHANCE = 3  # and by so many times what chance makes of it, which is less the more pixels there are
Phase = tuple[int, int]  # rows above and columns before a picture, 0 or 1, with which its mosaic begins with red


def mosaic_of(pixels: np.ndarray) -> Phase | None:
    """Return where the mosaic of pixels (H, W) or (H, W, 3) begins; None where none is seen, as in noise without one."""
    top, left = (max(0, (side - SIDE) // 4 * 2) for side in pixels.shape[:2])
    seen = unit_of(pixels[top : top + SIDE, left : left + SIDE]).astype(np.float32)
    seen = seen if seen.ndim == 2 else seen.mean(2)
    if min(seen.shape) < 16:
        return None
    fine = 4 * seen[1:-1, 1:-1] - seen[:-2, 1:-1] - seen[2:, 1:-1] - seen[1:-1, :-2] - seen[1:-1, 2:]
    fine = np.minimum(np.abs(fine), np.quantile(np.abs(fine), LOUD))
    places = {(y, x): float(fine[1 - y :: 2, 1 - x :: 2].mean()) for y in (0, 1) for x in (0, 1)}  # `fine` begins at (1, 1)
    (weakest, least), (_, next_least), *_ = sorted(places.items(), key=lambda place: place[1])
    mean = sum(places.values()) / 4
    clear = mean * max(CLEAR, CHANCE / (fine.size / 4) ** 0.5)
    if mean == 0 or min(mean, next_least) - least < clear:
        return None
    return 1 - weakest[0], 1 - weakest[1]
