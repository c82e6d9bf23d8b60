"""What the screen shows of a picture: tiles at full size and at halves of it, what two pictures differ in, and how much.

A view is for looking at. What is saved is made from the picture itself.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture, top_of

TILE = 512  # pixels of a tile's side
QUALITY = 95  # of the tiles' JPEG, with all of the colour
BAND = 512  # rows that are compared at a time


class View:
    """The levels of a picture: level 0 is the picture, each further one half as large; those that were asked for are kept."""

    def __init__(self, picture: Picture) -> None:
        self.picture, self.lock = picture, threading.Lock()
        self.levels: dict[int, np.ndarray] = {}

    def level(self, number: int) -> np.ndarray:
        """Return the picture at 1/2**number of its size (at least 1 pixel), of its own type for 0, else of uint8, with its
        transparency as the last channel."""
        with self.lock:
            return self._level(number)

    def _level(self, number: int) -> np.ndarray:
        if number <= 0:
            return self.picture.pixels
        if number not in self.levels:
            before = self._whole() if number == 1 else self._level(number - 1)
            size = tuple(max(1, -(-side // 2)) for side in before.shape[1::-1])
            self.levels[number] = _eight(cv2.resize(before, size, interpolation=cv2.INTER_AREA))
        return self.levels[number]

    def _whole(self, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
        part = self.picture.pixels[rows, columns]
        return part if self.picture.alpha is None else np.dstack([part, self.picture.alpha[rows, columns]])

    def part(self, number: int, column: int, row: int) -> np.ndarray:
        """Return a tile's pixels (h, w[, channels]), uint8. Raises UsageError where there is none."""
        sides = [-(-side // 2**number) for side in self.picture.pixels.shape[1::-1]] if 0 <= number < 32 else [0, 0]
        if not (0 <= column * TILE < sides[0] and 0 <= row * TILE < sides[1]):
            raise UsageError(f"there is no tile {column}, {row} at level {number}")
        rows, columns = (slice(place * TILE, (place + 1) * TILE) for place in (row, column))
        return _eight(self._whole(rows, columns)) if number == 0 else self.level(number)[rows, columns]

    def tile(self, number: int, column: int, row: int) -> tuple[bytes, str]:
        """Return a tile as the bytes of a file, and its type."""
        return encoded(self.part(number, column, row), self.picture.tags.icc)


def difference_tile(one: View, other: View, place: tuple[int, int, int], gain: float) -> tuple[bytes, str]:
    """Return by how much two pictures of one size differ in a tile (level, column, row), `gain` times as bright."""
    check_alike(one, other)
    first, second = (_opaque(view.part(*place)) for view in (one, other))
    return encoded(cv2.convertScaleAbs(cv2.absdiff(first, second), alpha=gain), None)


def check_alike(one: View, other: View) -> None:
    """Raise UsageError unless two pictures have one size."""
    if one.picture.pixels.shape != other.picture.pixels.shape:
        raise UsageError("the two have different sizes, so that their pixels cannot be compared one by one")


@dataclass(frozen=True)
class Changes:
    """What is different between two pictures. counts: of channels' values, by how many of 255 grey levels they changed,
    rounded; share: of the pixels, those that are not the same to the last bit; mean and most: grey levels of 255."""

    counts: list[int]
    share: float
    mean: float
    most: float


def changes(one: View, other: View) -> Changes:
    """Return what is different between two pictures of one size. Raises UsageError for others."""
    check_alike(one, other)
    before, after = one.picture.pixels, other.picture.pixels
    counts, changed, total, most = np.zeros(256, np.int64), 0, 0.0, 0.0
    for top in range(0, len(before), BAND):
        gap = cv2.absdiff(before[top : top + BAND], after[top : top + BAND])
        changed += int(np.count_nonzero(gap if gap.ndim == 2 else gap.any(2)))
        if gap.dtype == np.uint8:
            counts += cv2.calcHist([gap.reshape(1, -1)], [0], None, [256], (0, 256)).astype(np.int64).ravel()
            total, most = total + float(gap.sum(dtype=np.int64)), max(most, float(gap.max()))
            continue
        levels = gap.astype(np.float32) * np.float32(255 / top_of(gap.dtype))
        counts += np.bincount(levels.clip(0, 255).round().astype(np.uint8).ravel(), minlength=256)
        total, most = total + float(levels.sum(dtype=np.float64)), max(most, float(levels.max()))
    pixels = before.shape[0] * before.shape[1]
    return Changes(counts.tolist(), changed / pixels, total / before.size, most)


def encoded(pixels: np.ndarray, profile: bytes | None) -> tuple[bytes, str]:
    """Return pixels (h, w[, channels]), uint8, as the bytes of a file, and its type: JPEG, or PNG where they are transparent.
    The colour profile goes with them, so that the screen's colours are right."""
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    extra = {"icc_profile": profile} if profile else {}
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        image.save(buffer, "PNG", compress_level=1, **extra)
        return buffer.getvalue(), "image/png"
    image.save(buffer, "JPEG", quality=QUALITY, subsampling=0, **extra)
    return buffer.getvalue(), "image/jpeg"


def _opaque(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (h, w[, channels]) without their transparency, the last of two or four channels."""
    if pixels.ndim == 2:
        return pixels
    return pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3]


def _eight(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as uint8, white at 255."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    return cv2.convertScaleAbs(pixels.clip(0, None), alpha=255 / top_of(pixels.dtype))
