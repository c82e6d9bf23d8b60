"""How a TIFF lays out its pixels, from its tags: what can be read, by whom, and what has to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from irflow_cli.errors import ImageError
from irflow_cli.images.picture import top_of
from irflow_cli.images.span import Span

USUAL = (1, 2, 3, 4, 5, 7, 8, 32773, 32946)  # compressions that Pillow and OpenCV read, whoever built them
DEEP = (1, 5, 8, 32773, 32946)  # of them, those for more than 8 bits
ALPHA, MULTIPLIED = 2, 1  # what an extra channel may be; 0, or nothing: not given
INKS = 5  # of the kinds of colour that there are names for; four of 8 bits are read
NAMES = {
    3: "colours of a table",
    4: "a mask of transparency, and no picture",
    INKS: "inks (CMYK or others)",
    6: "YCbCr",
    8: "CIE Lab",
    9: "ICC Lab",
    10: "ITU Lab",
    32803: "a sensor's raw pixels",
    32844: "LogL",
    32845: "LogLuv",
    34892: "a sensor's linear pixels",
}
KINDS = {2: "signed numbers", 5: "complex numbers", 6: "complex numbers"}  # of SampleFormat


def several(tags: Mapping[int, Any], tag: int, usual: int) -> tuple[int, ...]:
    """Return the numbers that an entry holds, whether one or several; `usual` where it is missing."""
    value = tags.get(tag, (usual,))
    return tuple(int(one) for one in (value if isinstance(value, (tuple, list)) else (value,)))


@dataclass(frozen=True)
class Layout:
    """The tags that say what a TIFF's numbers are. extra: what channels beside the colours are; bits: of a channel."""

    photometric: int
    channels: int
    extra: tuple[int, ...]
    bits: tuple[int, ...]
    kind: int
    planes: bool
    compression: int
    turned: bool  # the lowest bit of each byte comes first

    @classmethod
    def of(cls, tags: Mapping[int, Any]) -> Layout:
        """Return the layout that a directory's tags describe."""

        one = {tag: several(tags, tag, usual)[0] for tag, usual in ((262, 1), (277, 1), (284, 1), (259, 1), (266, 1))}
        extra, bits, kinds = several(tags, 338, 0) if 338 in tags else (), several(tags, 258, 1), several(tags, 339, 1) or (1,)
        return cls(one[262], one[277], extra, bits, max(kinds), one[284] == 2, one[259], one[266] == 2)

    @property
    def floating(self) -> bool:
        """Whether pixels are floating-point numbers."""
        return self.kind == 3

    @property
    def beside(self) -> int:
        """How many channels there are beside the colours, where these are grey or RGB."""
        return self.channels - (3 if self.photometric == 2 else 1)

    @property
    def plain(self) -> bool:
        """Whether Pillow reads it as it is meant."""
        if self.kind != 1 or max(self.bits) > 8:
            return False
        if self.photometric in (0, 1, 2):
            if self.turned and self.photometric == 0 and self.bits[0] == 8:
                return False
            deep_enough = self.bits[0] in ((1, 2, 4, 8) if self.channels == 1 else (8,))
            return deep_enough and not (
                self.beside and (self.photometric == 0 or self.extra[:1] != (ALPHA,) or self.beside > 1)
            )
        return self.photometric in (3, 6, 8) or (self.photometric == 5 and self.channels == 4)

    @property
    def for_opencv(self) -> bool:
        """Whether OpenCV reads it right."""
        numbers = (self.kind, self.bits[0]) in ((1, 16), (3, 32))
        return numbers and self.channels in (1, 3, 4) and not (self.planes and self.channels > 1) and self.compression in DEEP

    def check(self, name: str) -> None:
        """Raise ImageError, which says what it is, for what is not read."""
        named = {
            f"holds {self._colours()}": self.photometric not in (0, 1, 2),
            f"holds {KINDS.get(self.kind, 'numbers of an unknown kind')}": self.kind not in (1, 3, 4),
            f"has channels of {' and '.join(map(str, sorted(set(self.bits))))} bits": len(set(self.bits)) > 1,
            f"has {self.bits[0]} bits a channel": not self.floating and self.bits[0] > 16,
            f"has {self.channels} channels": not 0 <= self.beside <= 1,
        }
        for what, holds in named.items():
            if holds:
                raise ImageError(f"{name}: {what}, which is not read; convert it to RGB or grey, such as a 16-bit PNG")

    def _colours(self) -> str:
        name = NAMES.get(self.photometric, f"colours of kind {self.photometric}")
        return f"{name} in {self.channels} channels of {self.bits[0]} bits" if self.photometric == INKS else name

    def kept(self, pixels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return the numbers of a TIFF, (H, W) or (H, W, channels), whole ones with the white of their type, without a channel
        whose meaning is not told, and what to tell of them."""
        notes: tuple[str, ...] = ()
        bits = self.bits[0]
        if self.floating and bits != 32:
            notes = (f"has floating-point numbers of {bits} bits; they are kept with 32",)
        elif not self.floating and bits not in (8, 16):
            top = top_of(pixels.dtype)
            pixels = np.round(pixels * (top / (2**bits - 1))).astype(pixels.dtype)
            notes = (f"has {bits} bits a channel; they are kept with {8 * pixels.itemsize}",)
        if self.beside and self.extra[:1] not in ((ALPHA,), (MULTIPLIED,)):
            which = "fourth" if self.channels == 4 else "second"
            notes += (f"has a {which} channel whose meaning it does not tell; it is left out",)
            pixels = pixels[..., :3] if self.channels == 4 else pixels[..., 0]
        return pixels, notes

    def meant(self, pixels: np.ndarray, span: Span | None) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return what `kept` gave, which counts as span says, with white as the largest number and colours that are not
        multiplied by their transparency, and what to tell of it."""
        span = span or Span(0.0, top_of(pixels.dtype), pixels)
        beside = self.beside and pixels.ndim == 3 and pixels.shape[2] in (2, 4)
        colour, alpha = (pixels[..., :-1], pixels[..., -1:]) if beside else (pixels, None)
        if self.photometric == 0:  # white is the smallest number
            colour = np.array(span.low + span.high, colour.dtype) - colour
        if alpha is None:
            return colour, ()
        notes: tuple[str, ...] = ()
        if self.extra[:1] == (MULTIPLIED,):
            colour = _divided(colour, span)
            notes = ("has colours that were multiplied by their transparency; they are divided by it",)
        return np.concatenate([colour, alpha], axis=2), notes


def _divided(colour: np.ndarray, span: Span) -> np.ndarray:
    """Return colours that were multiplied by their transparency, the last channel of the span's numbers, as they were before;
    black where nothing is seen."""
    light = colour - np.float64(span.low)
    share = span.unit()[..., -1:]
    plain = np.divide(light, share, out=np.zeros(colour.shape), where=share > 0) + span.low
    return plain.astype(colour.dtype) if colour.dtype.kind == "f" else np.round(plain.clip(0, span.high)).astype(colour.dtype)
