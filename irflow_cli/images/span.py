"""From where to where floating-point pixels count: 0 to 1, 0 to 255, 0 to 65535 or anything else.

Where nothing says it, nothing is guessed, for a wrong guess is a ruined picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from irflow_cli.errors import ImageError, UsageError

Given = tuple[float, float] | None  # black and white, or None: not said
LOWEST, HIGHEST, SHARE = -1.0, 8.0, 0.05  # of pixels that count from 0 to 1: what some may be, and how many lie beyond
DARKEST = 1 / 255  # of the brightest pixel of a picture that counts from 0 to 1
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


@dataclass(frozen=True)
class Span:
    """Black and white of a file, and its own numbers, so that what does not change is exact."""

    low: float
    high: float
    raw: np.ndarray

    def unit(self) -> np.ndarray:
        """Return the numbers, float32, with black at 0 and white at 1."""
        return ((self.raw - np.float64(self.low)) / (self.high - self.low)).astype(np.float32)

    def back(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels that count from 0 to 1 as the file counts, those that are what they were to the last bit."""
        counted = (pixels.astype(np.float64) * (self.high - self.low) + self.low).astype(self.raw.dtype)
        return np.where(pixels == self.unit(), self.raw, counted) if pixels.shape == self.raw.shape else counted


def parse_range(text: str | None) -> Given:
    """Return black and white from a text such as `0..255`. Raises UsageError."""
    if text is None:
        return None
    found = re.fullmatch(rf"\s*({NUMBER})\s*\.\.\s*({NUMBER})\s*", text)
    if not found:
        raise UsageError(f"`range` is black and white of floating-point pixels, such as 0..255; got {text!r}")
    return checked(float(found[1]), float(found[2]))


def checked(low: float, high: float) -> tuple[float, float]:
    """Return a range. Raises UsageError where it is none."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"`range` goes from a smaller number to a larger one, got {low:g}..{high:g}")
    return low, high


def counts_to_one(pixels: np.ndarray) -> bool:
    """Return whether floating-point pixels look as if they count from 0 to 1. A few may lie beyond, as highlights do."""
    low, high = float(pixels.min()), float(pixels.max())
    beyond = np.count_nonzero((pixels < -0.01) | (pixels > 1.01)) / pixels.size
    dark = low < high < DARKEST
    return bool(low >= LOWEST and high <= HIGHEST and beyond <= SHARE and not dark)


def spread(
    pixels: np.ndarray, tags: Mapping[int, Any], given: Given, name: str
) -> tuple[np.ndarray, Span | None, tuple[str, ...]]:
    """Return a file's pixels, those of floating-point numbers with white at 1, how they counted, and what to tell.

    The range is what was given, else what the tags say, else 0 to 1 where that can be. Raises ImageError where it cannot.
    """
    if pixels.dtype.kind != "f":
        return pixels, None, ("holds whole numbers, whose white is known; `range` is left out",) if given else ()
    counted = given or _of_tags(tags)
    if counted is None and not counts_to_one(pixels):
        found = f"{float(pixels.min()):.4g} to {float(pixels.max()):.4g}"
        raise ImageError(
            f"{name}: its floating-point numbers go from {found}, and it does not say what black and white are; give `range`, "
            "such as 0..255"
        )
    if counted is None or counted == (0.0, 1.0):
        return pixels, None, ()
    span = Span(*counted, pixels)
    notes = () if given else (f"counts from {counted[0]:g} to {counted[1]:g}, as its tags say; `range` overrides them",)
    return span.unit(), span, notes


def _of_tags(tags: Mapping[int, Any]) -> Given:
    """Return black and white as a TIFF's tags say: the samples' smallest and largest values, or ImageJ's."""

    def first(tag: int) -> float | None:
        value = tags.get(tag)
        value = value[0] if isinstance(value, (tuple, list)) and value else value
        return float(value) if isinstance(value, (int, float)) else None

    pairs = [(first(340), first(341)), (first(280), first(281))]
    text = str(tags.get(270, ""))
    if text.startswith("ImageJ="):
        found = [re.search(rf"^{key}=({NUMBER})", text, re.MULTILINE) for key in ("min", "max")]
        pairs.append((float(found[0][1]) if found[0] else None, float(found[1][1]) if found[1] else None))
    for low, high in pairs:
        if low is not None and high is not None and math.isfinite(low) and math.isfinite(high) and low < high:
            return low, high
    return None
