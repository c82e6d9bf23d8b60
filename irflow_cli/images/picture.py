"""Pictures as values: upright pixels, transparency, and what came with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from irflow_cli.errors import ImageError
from irflow_cli.images.metadata import Tags
from irflow_cli.seeds import seed_of

if TYPE_CHECKING:
    from irflow_cli.images.span import Span

BAND = 256  # rows that are taken over from Pillow at a time


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    pixels: (H, W) grey or (H, W, 3) RGB, uint8, uint16 or float32 (nominally 0 to 1); alpha: (H, W) of the same type or
    None; format: Pillow's name of the file's format; tags: what came with the pixels; coding: how the file was encoded,
    as options of Pillow's `save`; notes: what the reader should tell the user; span: how a file counts whose floating-point
    numbers do not go from 0 to 1, as those of `pixels` do.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    format: str
    tags: Tags = field(default_factory=Tags)
    coding: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    span: Span | None = None

    @property
    def top(self) -> float:
        """The value of white: 255, 65535, or 1 for float pixels."""
        return top_of(self.pixels.dtype)

    @property
    def beyond(self) -> bool:
        """Whether floating-point pixels lie beyond black and white."""
        return self.pixels.dtype.kind == "f" and bool(self.pixels.min() < 0 or self.pixels.max() > 1)

    def rgb8(self) -> np.ndarray:
        """Return (H, W, 3) uint8, whatever the picture holds."""
        pixels = self.pixels if self.pixels.ndim == 3 else np.repeat(self.pixels[..., None], 3, axis=2)
        return as_depth(pixels, np.dtype(np.uint8))

    def unit(self) -> np.ndarray:
        """Return (H, W, 1 or 3) float32, white at 1; float pixels may lie beyond."""
        pixels = self.pixels if self.pixels.ndim == 3 else self.pixels[..., None]
        return pixels.astype(np.float32) / np.float32(self.top)

    def seed(self, given: int) -> int:
        """Return the seed of draws that hang on the picture's content and the seed given, and not on its name or place."""
        return seed_of(given, np.ascontiguousarray(self.pixels).tobytes())

    def opaque(self) -> Picture:
        """Return the same picture without transparency."""
        return replace(self, alpha=None, span=self.span and self.span.opaque()) if self.alpha is not None else self

    def with_pixels(self, pixels: np.ndarray) -> Picture:
        """Return the same picture, alpha, tags and coding with other pixels of the same shape and type."""
        return replace(self, pixels=pixels)


def top_of(dtype: np.dtype) -> float:
    """Return the value of white in pixels of a type."""
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def unit_of(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (H, W) or (H, W, 3) as float32, white at 1."""
    return pixels.astype(np.float32) * np.float32(1 / top_of(pixels.dtype))


def as_depth(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return pixels rounded to another type; float values beyond 0 to 1 are clipped. Unchanged when it is theirs."""
    if pixels.dtype == dtype:
        return pixels
    whole, top = pixels.dtype.kind == "u", top_of(pixels.dtype)
    values = np.arange(top + 1.0) if whole else pixels.astype(np.float64).clip(0, top)
    values = values * (top_of(dtype) / top)
    values = (values if dtype.kind == "f" else np.round(values)).astype(dtype)
    return values[pixels] if whole else values


def too_large(name: str, max_pixels: int) -> ImageError:
    memory = 8 * max_pixels / 2**30  # as measured: bytes a pixel of 8 bits, from reading to writing; 4 times of floats
    taken = f"which take about {memory:.1f} GiB of memory" if memory >= 0.1 else "the limit"
    return ImageError(
        f"{name}: larger than {max_pixels} pixels, {taken}; if it is to be trusted, `max_pixels` raises the limit"
    )


def split_alpha(
    pixels: np.ndarray, kind: str, tags: Tags | None = None, coding: dict | None = None, notes: tuple[str, ...] = ()
) -> Picture:
    """Return a picture from (H, W), (H, W, 2 grey + alpha), (H, W, 3) or (H, W, 4) pixels."""
    alpha = None
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        pixels, alpha = pixels[..., :-1], np.ascontiguousarray(pixels[..., -1])
        pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return Picture(np.ascontiguousarray(pixels), alpha, kind, tags or Tags(), coding or {}, notes)


def upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Return the pixels with EXIF orientation `turn` (1 to 8) undone."""
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
