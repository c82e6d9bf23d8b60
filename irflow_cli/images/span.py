"""From where to where floating-point pixels count: 0 to 1, 0 to 255, 0 to 65535 or anything else.

Where nothing says it, nothing is guessed, for a wrong guess is a ruined picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from irflow_cli.errors import ImageError, UsageError

Given = tuple[float, float] | None  # black and white, or None: not said
LOWEST, HIGHEST, SHARE = -1.0, 8.0, 0.05  # of pixels that count from 0 to 1: what some may be, and how many lie beyond
NARROW = 0.01  # of the range that tags tell: what pixels have to take of it
TOPS = (255.0, 65535.0)  # of numbers of 8 and 16 bits
DARKEST = 1 / 255  # of the brightest pixel of a picture that counts from 0 to 1
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


@dataclass(frozen=True)
class Span:
    """Black and white of a file, and its own numbers, so that what does not change is exact.

    raw: (H, W), (H, W, grey + alpha), (H, W, 3) or (H, W, 4). clear: the numbers of what is clear and what is opaque, None
    where they are those of black and white.
    """

    low: float
    high: float
    raw: np.ndarray
    clear: Given = None

    def unit(self) -> np.ndarray:
        """Return the numbers, float32, with black at 0 and white at 1."""
        low, high = self._ends(self.raw)
        return ((self.raw - low) / (high - low)).astype(np.float32)

    def back(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels that count from 0 to 1 as the file counts, those that are what they were to the last bit."""
        low, high = self._ends(pixels)
        counted = (pixels.astype(np.float64) * (high - low) + low).astype(self.raw.dtype)
        return np.where(pixels == self.unit(), self.raw, counted) if pixels.shape == self.raw.shape else counted

    def opaque(self) -> Span:
        """Return how the file would count without transparency, the last of its channels."""
        colours = self.raw[..., 0] if self.raw.shape[2] == 2 else self.raw[..., :3]
        return replace(self, raw=colours, clear=None)

    def _ends(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return black and white of each channel of pixels."""
        channels = pixels.shape[2] if pixels.ndim == 3 else 1
        ends = np.repeat(np.array([[self.low], [self.high]], np.float64), channels, axis=1)
        if channels in (2, 4) and self.clear:
            ends[:, -1] = self.clear
        return ends[0], ends[1]


def clear_of(pixels: np.ndarray, low: float, high: float) -> Given:
    """Return the numbers of clear and opaque in the last of 2 or 4 channels of pixels whose black and white are low and high.

    Transparency counts from 0 to 1 whatever the colours do, or as they do; also to 255 or 65535 where that is its largest
    number and theirs is far from it. Raises ValueError, in one line, where it does none of these.
    """
    if pixels.ndim != 3 or pixels.shape[2] not in (2, 4) or not pixels.size:
        return None
    least, most = float(pixels[..., -1].min()), float(pixels[..., -1].max())
    if least >= 0 and most <= 1 and not low <= least <= most <= high < 1:
        return 0.0, 1.0
    if least >= 0 and most in TOPS and not most / 2 < high <= 2 * most:
        return 0.0, most
    if most > low + NARROW * (high - low) and _within((pixels[..., -1] - np.float64(low)) / (high - low)):
        return None
    raise ValueError(
        f"its transparency goes from {least:.4g} to {most:.4g}, and its colours from {low:g} to {high:g}; "
        "let both count alike, or transparency from 0 to 1"
    )


def parse_range(text: str | None) -> Given:
    """Return black and white from a text such as `0..255`. Raises UsageError."""
    if text is None:
        return None
    found = re.fullmatch(rf"\s*({NUMBER})\s*\.\.\s*({NUMBER})\s*", text)
    if not found:
        raise UsageError(f"`range` is black and white of floating-point pixels, such as 0..255; got {text!r}")
    return checked(float(found[1]), float(found[2]))


def pair_of(given: object) -> Given:
    """Return a range that is given as two numbers, None where none is. Raises UsageError for all else."""
    if given is None:
        return None
    values = tuple(given) if isinstance(given, (tuple, list, np.ndarray)) else ()
    if len(values) != 2 or not all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        raise UsageError(f"`range` is black and white of floating-point pixels, such as (0, 255), got {str(given)[:60]!r}")
    return checked(float(values[0]), float(values[1]))


def checked(low: float, high: float) -> tuple[float, float]:
    """Return a range. Raises UsageError where it is none."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"`range` goes from a smaller number to a larger one, got {low:g}..{high:g}")
    return low, high


def counts_to_one(pixels: np.ndarray) -> bool:
    """Return whether floating-point pixels look as if they count from 0 to 1. A few may lie beyond, as highlights do."""
    return _within(pixels) and not float(pixels.min()) < float(pixels.max()) < DARKEST


def _within(pixels: np.ndarray) -> bool:
    """Return whether all but a few pixels lie between 0 and 1, and these not far."""
    beyond = np.count_nonzero((pixels < -0.01) | (pixels > 1.01)) / pixels.size
    return bool(pixels.min() >= LOWEST and pixels.max() <= HIGHEST and beyond <= SHARE)


def span_of(
    pixels: np.ndarray, colours: int, tags: Mapping[int, Any], given: Given, name: str
) -> tuple[Span | None, tuple[str, ...]]:
    """Return how a file's pixels count, None for whole numbers and for 0 to 1, and what to tell. colours: its channels of
    colour, before that of transparency.

    The range is what was given, else what the tags say, else 0 to 1. Raises ImageError where the pixels contradict that.
    """
    if pixels.dtype.kind != "f":
        return None, ("holds whole numbers, whose white is known; `range` is left out",) if given else ()
    told = None if given else _of_tags(tags)
    low, high = given or told or (0.0, 1.0)
    found = f"{name}: its floating-point numbers go from {float(pixels.min()):.4g} to {float(pixels.max()):.4g}, and"
    hint = "give `range`, such as 0..255"
    colour = pixels[..., :colours] if pixels.ndim == 3 else pixels
    if told and not _fits(colour, low, high):
        raise ImageError(f"{found} its tags say that black and white are {low:g} and {high:g}, which cannot be; {hint}")
    if not (given or told or counts_to_one(colour)):
        raise ImageError(f"{found} it does not say what black and white are; {hint}")
    try:
        clear = clear_of(pixels, low, high)
    except ValueError as error:
        raise ImageError(f"{name}: {error}") from None
    if (low, high) == (0.0, 1.0) and clear in (None, (0.0, 1.0)):
        return None, ()
    notes = (f"counts from {low:g} to {high:g}, as its tags say; `range` overrides them",) if told else ()
    return Span(low, high, pixels, clear), notes


def _fits(pixels: np.ndarray, low: float, high: float) -> bool:
    """Return whether pixels look as if they count from low to high: few lie beyond, and they take more than a sliver of it,
    unless all are the same."""
    counted = (pixels - np.float64(low)) / (high - low)
    least, most = float(counted.min()), float(counted.max())
    return _within(counted) and not least < most < least + NARROW


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
