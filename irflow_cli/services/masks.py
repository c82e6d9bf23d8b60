"""Where a picture is to be filled: from mask files, boxes, a colour or transparency, to one hole."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import ImageColor

from irflow_cli.engines.holes import Hole, check_spread, spread_hole
from irflow_cli.errors import ImageError, UsageError, require
from irflow_cli.images.decode import read_picture
from irflow_cli.images.find import find_pictures
from irflow_cli.images.formats import SUFFIXES
from irflow_cli.images.picture import Picture, top_of
from irflow_cli.images.span import Given
from irflow_cli.tasks import MAX_PIXELS

TOLERANCE = 12  # of 255, by which a marking colour may be missed
FADING = 0.97  # where a mark has soft edges, a ring of pixels around it is nearer to its colour than this share of the next one
SOFT = 8  # such rings at most
ENDS = (*SUFFIXES, ".gif")  # of masks in folders: one may have one bit a pixel, as a GIF has
NEAR = 0.12  # a mask's values this near to black or white, as JPEG leaves them, are black and white


@dataclass(frozen=True)
class MaskSettings:
    """What is missing. Where several say something, the hole is all of it.

    mask: a picture, white where the hole is, or a folder of such pictures with the names of those to fill. box: "x,y,width,
    height" in pixels. color: "#rrggbb", or a name, that marks the hole, within `tolerance` (12) of 255 a channel.
    from_alpha: what is not wholly opaque. invert: the mask files' black is the hole. threshold: 0 to 1, from which on grey is
    hole. resize: masks are brought to the picture's size. dilate: pixels by which the hole grows; None: the soft edges of
    what has the colour. feather: pixels around it over which the filling fades into the picture.
    """

    mask: Path | None = None
    box: tuple[str, ...] = ()
    color: str | None = None
    tolerance: int | None = None
    from_alpha: bool = False
    invert: bool = False
    threshold: float | None = None
    resize: bool = False
    dilate: int | None = None
    feather: int = 0

    def check(self) -> None:
        """Raise UsageError, in one line, for the first setting that makes no sense."""
        require(
            bool(self.mask or self.box or self.color or self.from_alpha),
            "nothing says what to fill; give `mask`, `box`, `color` or `from_alpha`",
        )
        require(self.mask is None or self.mask.exists(), f"there is no mask {self.mask}")
        require(
            self.mask is None or self.mask.is_file() or self.mask.is_dir(),
            f"the mask {self.mask} is a pipe or a device; save it in a file first",
        )
        if self.color is not None:
            _rgb(self.color)
        require(
            bool(self.mask) or not (self.invert or self.threshold is not None or self.resize),
            "`invert`, `threshold` and `resize` are about mask files; give `mask`",
        )
        require(self.tolerance is None or bool(self.color), "`tolerance` is about `color`; give it, or leave the tolerance out")
        require(0 <= (self.tolerance or 0) <= 255, f"`tolerance` goes from 0 to 255, got {self.tolerance}")
        require(self.threshold is None or 0 < self.threshold <= 1, f"`threshold` is above 0 and up to 1, got {self.threshold}")
        check_spread(self.dilate or 0, self.feather)
        for text in self.box:
            _numbers(text)

    def pair(self, pictures: list[tuple[Path, Path]]) -> list[Path | None]:
        """Return the mask files, which may not exist, of (picture, the folder that its place is counted from).

        In a folder of masks it is the one with the picture's stem at the picture's place, or, where that is missing, in a
        folder of the name of the picture's, or in no folder; one that several pictures would take is nobody's but at its place.
        Raises UsageError for two masks of one name in one place.
        """
        folder = self.mask
        if folder is None or folder.is_file():
            return [folder] * len(pictures)
        named: dict[Path, list[Path]] = {}
        for path in find_pictures(folder, ends=ENDS):
            named.setdefault(_spelt(path.relative_to(folder).with_suffix("")), []).append(path)
        own = [_spelt(source.relative_to(root).with_suffix("") if source != root else source) for source, root in pictures]
        beside = [_spelt(Path(source.absolute().parent.name, source.stem)) for source, _ in pictures]
        fit = set(own)
        found = [
            next((one for one in (place, near, Path(place.name)) if one in named and (one == place or one not in fit)), place)
            for place, near in zip(own, beside, strict=True)
        ]
        takers = Counter(
            place for place, _ in {(place, source.absolute()) for place, (source, _) in zip(found, pictures, strict=True)}
        )
        found = [near if takers[place] > 1 else place for place, near in zip(found, beside, strict=True)]
        for place, (source, _) in zip(found, pictures, strict=True):
            if len(two := named.get(place, [])) > 1:
                raise UsageError(f"{two[0]} and {two[1]} are both called as {source.name} is; keep one of them")
        return [named[place][0] if place in named else folder / place.with_name(f"{place.name}.png") for place in found]

    def spare(self, used: list[Path | None], *, deep: bool) -> list[Path]:
        """Return the masks of a folder, and with `deep` below it, that are not among the used ones."""
        if self.mask is None or self.mask.is_file():
            return []
        taken = set(used)
        return [path for path in find_pictures(self.mask, deep=deep, ends=ENDS) if path not in taken]


def _spelt(place: Path) -> Path:
    """Return a place in one of the spellings that letters with accents have: systems differ in theirs."""
    return Path(unicodedata.normalize("NFC", str(place)))


def hole_of(
    settings: MaskSettings, picture: Picture, file: Path | None, max_pixels: int = MAX_PIXELS, span: Given = None
) -> Hole:
    """Return the hole in a picture; span: black and white of floating-point pixels. Raises ImageError, in one
    line, for masks that do not fit it or say nothing."""
    size = picture.pixels.shape[:2]
    inside = np.zeros(size, bool)
    if settings.from_alpha and picture.alpha is None:
        raise ImageError("has no transparency; `from_alpha` fills what is transparent")
    if file is not None:
        inside |= _from_file(settings, _read(file, max_pixels, span), file, size)
    for text in settings.box:
        x, y, width, height = _numbers(text)
        if x >= size[1] or y >= size[0]:
            raise ImageError(f"the box {text} lies outside of its {size[1]} x {size[0]} pixels")
        inside[y : y + height, x : x + width] = True
    if settings.color is not None:
        inside |= _coloured(settings, _rgb(settings.color), picture.rgb8())
    if settings.from_alpha and picture.alpha is not None:
        inside |= picture.alpha < top_of(picture.alpha.dtype)
    if not inside.any():
        said = {
            f"{file} is all {'white, and `invert` fills black' if settings.invert else 'black; white is filled'}": file,
            f"no pixel is like {settings.color}; a larger `tolerance` finds more": settings.color,
            "no pixel is transparent": settings.from_alpha,
        }
        raise ImageError(f"the mask is empty: {', '.join(text for text, asked in said.items() if asked)}")
    return spread_hole(inside, settings.dilate or 0, settings.feather)


def _read(file: Path, max_pixels: int, span: Given) -> Picture:
    """Return the picture of a mask, which counts from 0 to 1, or else as the picture to fill does."""
    try:
        return read_picture(file, max_pixels)
    except ImageError:
        if span is None:
            raise
    return read_picture(file, max_pixels, span)


def _from_file(settings: MaskSettings, mask: Picture, file: Path, size: tuple[int, ...]) -> np.ndarray:
    clear = mask.alpha is not None and mask.alpha == 0
    if clear is not False and clear.any() and _painted(mask):
        mask = replace(mask, pixels=np.where(clear if mask.pixels.ndim == 2 else clear[..., None], 0, mask.pixels), alpha=None)
    if mask.alpha is not None and (mask.alpha < top_of(mask.alpha.dtype)).any():
        raise ImageError(f"the mask {file} is partly transparent; make it black and white, white where the picture is missing")
    if mask.pixels.ndim == 3 and (np.ptp(mask.rgb8(), axis=2) > 16).any():
        raise ImageError(f"the mask {file} is coloured; make it black and white, or mark the picture and use `color`")
    values = mask.pixels if mask.pixels.ndim == 2 else mask.pixels.mean(2)
    if values.shape != size and not settings.resize:
        there, here = f"{values.shape[1]} x {values.shape[0]}", f"{size[1]} x {size[0]}"
        raise ImageError(f"the mask {file} has {there} pixels, the picture {here}; `resize` brings it to size")
    black, grey = (values.dtype.type(share * mask.top) for share in (NEAR, 0.5))  # of its own type, which is quick to compare
    white = values.dtype.type(mask.top - black)
    most = values.max()
    if 0 < most < (black if settings.threshold is None else settings.threshold * mask.top):
        below = "" if settings.threshold is None else ", all of it below `threshold`"
        raise ImageError(
            f"the mask {file} goes from 0 to {most:g} of {mask.top:g}{below}; make what is missing white ({mask.top:g})"
        )
    if settings.threshold is not None:
        hole = values >= settings.threshold * mask.top
    elif ((values > black) & (values < white)).any():
        raise ImageError(f"the mask {file} has grey values; say from which on they are missing, e.g. `threshold` 0.5")
    else:
        hole = values > grey
    hole = ~hole if settings.invert else hole
    if hole.shape != size:  # a pixel of which any part is missing is missing
        least = tuple(min(sides) for sides in zip(size, hole.shape, strict=True))
        shares = cv2.resize(hole.astype(np.float32), least[::-1], interpolation=cv2.INTER_AREA)
        hole = cv2.resize(shares, size[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return hole


def _coloured(settings: MaskSettings, wanted: tuple[int, int, int], pixels: np.ndarray) -> np.ndarray:
    """Return where pixels (H, W, 3) of 8 bits have the colour, and where it fades out around that, as behind a soft brush or in
    a JPEG. Around a mark with hard edges the next pixel is as far from the colour as those behind it."""
    away = np.abs(pixels.astype(np.int16) - np.array(wanted, np.int16)).max(2)
    inside = away <= (TOLERANCE if settings.tolerance is None else settings.tolerance)
    if settings.dilate is not None or not inside.any():
        return inside
    grown, means = [inside], []
    while len(grown) < SOFT + 2:
        shape = cv2.MORPH_RECT if len(grown) % 2 else cv2.MORPH_CROSS  # in turn: rings are nearly round
        grown.append(cv2.dilate(grown[-1].view(np.uint8), cv2.getStructuringElement(shape, (3, 3))).view(bool))
        ring = grown[-1] & ~grown[-2]
        means.append(float(away[ring].mean()) if ring.any() else 0.0)
        if len(means) > 1 and means[-2] >= FADING * means[-1]:
            faded = len(means) - 2  # rings; of a brush's edge a little is left in the next one, of a letter's nothing
            return grown[faded + 1 if faded > 1 else faded]
    return grown[-1]


def _painted(mask: Picture) -> bool:
    """Return whether a mask is what was painted white on a transparent layer: its soft edges count as what they are more of."""
    drawn = mask.alpha > 0 if mask.alpha is not None else np.ones(mask.pixels.shape[:2], bool)
    return bool(drawn.any()) and bool((mask.pixels[drawn] >= mask.top * (1 - NEAR)).all())


def _rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour of #rrggbb, #rgb or a name of CSS, such as magenta. Raises UsageError."""
    text = f"#{colour}" if re.fullmatch(r"[0-9a-fA-F]{6}", colour) else colour
    try:
        if len(colour) > 32:
            raise ValueError
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError:
        raise UsageError(f"`color` is #rrggbb, #rgb or a name such as magenta, got {colour[:40]!r}") from None
    return red, green, blue


def _numbers(text: str) -> tuple[int, int, int, int]:
    parts = text.replace(" ", "").split(",")
    right = len(parts) == 4 and all(re.fullmatch("[0-9]{1,9}", part) for part in parts)
    x, y, width, height = map(int, parts) if right else (0, 0, 0, 0)
    if not (width and height):
        raise UsageError(f"`box` is x,y,width,height in whole pixels, x and y from 0, the sizes from 1, got {text[:80]!r}")
    return x, y, width, height
