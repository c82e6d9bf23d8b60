"""How a TIFF lays out its pixels, from its tags: what can be read, by whom, and what has to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from irflow_cli.errors import ImageError
from irflow_cli.images.picture import top_of

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

    @classmethod
    def of(cls, tags: Mapping[int, Any]) -> Layout:
        """Return the layout that a directory's tags describe."""

        def several(tag: int, usual: int) -> tuple[int, ...]:
            value = tags.get(tag, (usual,))
            return tuple(int(one) for one in (value if isinstance(value, (tuple, list)) else (value,)))

        one = {tag: several(tag, usual)[0] for tag, usual in ((262, 1), (277, 1), (284, 1), (259, 1))}
        kinds = several(339, 1) or (1,)
        return cls(
            one[262], one[277], several(338, 0) if 338 in tags else (), several(258, 1), max(kinds), one[284] == 2, one[259]
        )

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

    def meant(self, pixels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return the numbers of a TIFF, (H, W) or (H, W, channels), as pixels whose white is that of their type, with
        transparency last where there is some, and what to tell of them."""
        notes: tuple[str, ...] = ()
        bits = self.bits[0]
        if self.floating and bits != 32:
            notes = (f"has floating-point numbers of {bits} bits; they are kept with 32",)
        elif not self.floating and bits not in (8, 16):
            top = top_of(pixels.dtype)
            pixels = np.round(pixels * (top / (2**bits - 1))).astype(pixels.dtype)
            notes = (f"has {bits} bits a channel; they are kept with {8 * pixels.itemsize}",)
        colour, beside = (pixels[..., :-1], pixels[..., -1:]) if self.beside else (pixels, None)
        if self.photometric == 0:  # white is zero
            colour = np.array(top_of(colour.dtype), colour.dtype) - colour
        if beside is not None and self.extra[:1] == (MULTIPLIED,):
            colour = _divided(colour, beside)
            notes += ("has colours that were multiplied by their transparency; they are divided by it",)
        elif beside is not None and self.extra[:1] != (ALPHA,):
            which = "fourth" if self.channels == 4 else "second"
            notes += (f"has a {which} channel whose meaning it does not tell; it is left out",)
            return (colour if colour.shape[-1] == 3 else colour[..., 0]), notes
        return (colour if beside is None else np.concatenate([colour, beside], axis=2)), notes


def _divided(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return colours that were multiplied by alpha as they were before; nothing where nothing is seen."""
    top = top_of(colour.dtype)
    plain = np.divide(colour.astype(np.float64) * top, alpha, out=np.zeros(colour.shape), where=alpha > 0)
    return plain.astype(colour.dtype) if colour.dtype.kind == "f" else np.round(plain.clip(0, top)).astype(colour.dtype)
