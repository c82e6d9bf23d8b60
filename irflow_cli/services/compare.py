"""Before and after in one file that needs nothing else: a page with a slider, two pictures side by side, or in turn.

What is shown are 8 bits a channel, made for looking at; the files that are compared stay as they are.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from string import Template

import cv2
import numpy as np
from PIL import Image

from irflow_cli.errors import ImageError, UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.formats import FORMATS, SUFFIXES
from irflow_cli.images.picture import Picture, as_depth
from irflow_cli.images.span import Given
from irflow_cli.images.unkept import COLOURED, of_greys
from irflow_cli.runtime.files import write_atomically
from irflow_cli.tasks import MAX_PIXELS

GAP = 16  # pixels between pictures side by side
EXACT_PIXELS = 6_000_000  # up to which a page holds pictures without loss; larger ones where JPEG can hold them
FLIP_SIDE, FLIP_MS = 1600, 900  # of a GIF: the longest side in pixels, and how long each picture is shown
ALIKE = 0.02  # part by which width by height may differ: an enlargement is rounded, a rotated or another picture is told
QUALITY = 95  # of JPEG, with all of the colour
Shown = tuple[Picture, Picture]  # before and after


def compare_files(
    before: Path, after: Path, output: Path, *, overwrite: bool = False, max_pixels: int = MAX_PIXELS, span: Given = None
) -> tuple[str, ...]:
    """Write what shows two files beside each other, of the kind that the output's name says, and return notes for the user.

    span: black and white of floating-point pixels.

    Raises UsageError for other names and for an output that exists or is one of the two, ImageError for files that are no
    pictures, DiskFull."""
    check_output(output, overwrite=overwrite)
    if output.resolve() in (before.resolve(), after.resolve()):
        raise UsageError(f"{output} is one of the two; give another output")
    pictures = read_picture(before, max_pixels, span), read_picture(after, max_pixels, span)
    make = _maker(output)
    data, notes = make(pictures, (before.name, after.name))
    write_atomically(output, data, overwrite=overwrite)
    (height, width), (tall, wide) = (picture.pixels.shape[:2] for picture in pictures)
    alike = abs(width * tall - wide * height) <= max(width * tall, wide * height) * ALIKE
    shapes = f"{before.name} ({width} x {height}) and {after.name} ({wide} x {tall}) differ in shape"
    return notes if alike else (*notes, shapes)


def check_output(output: Path, *, overwrite: bool) -> None:
    """Raise UsageError for a name that says no kind of comparison, and for one that exists."""
    _maker(output)
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists; use `overwrite` or another output")


def _maker(output: Path) -> Callable[[Shown, tuple[str, str]], tuple[bytes, tuple[str, ...]]]:
    suffix = output.suffix.lower()
    if suffix in (".html", ".htm"):
        return make_page
    if suffix == ".gif":
        return make_flip
    if SUFFIXES.get(suffix) in ("PNG", "JPEG", "WEBP"):
        return lambda pictures, names: make_side(pictures, SUFFIXES[suffix])
    raise UsageError(f"{output} ends in none of .html (slider), .gif (in turn), .png, .jpg and .webp (side by side)")


def make_page(pictures: Shown, names: tuple[str, str]) -> tuple[bytes, tuple[str, ...]]:
    """Return a page, as UTF-8, with a slider between two pictures, that loads nothing from elsewhere. Raises ImageError."""
    (height, width), (tall, wide) = (picture.pixels.shape[:2] for picture in reversed(pictures))
    lossy = max(height * width, tall * wide) > EXACT_PIXELS and max(height, width, tall, wide) <= FORMATS["JPEG"].side
    sources = [_address(picture, name, lossy) for picture, name in zip(pictures, names, strict=True)]
    text = resources.files("irflow_cli.services").joinpath("compare.html").read_text("utf-8")
    page = Template(text).substitute(
        width=width,
        height=height,
        before_name=html.escape(names[0]),
        after_name=html.escape(names[1]),
        before=sources[0],
        after=sources[1],
    )
    notes = ("the page shows them as JPEG of high quality, for they are large",) if lossy else ()
    return page.encode(errors="replace"), (*notes, *(_unseen(pictures) if lossy else ()))


def make_side(pictures: Shown, kind: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of one picture with two side by side; a smaller one is enlarged to the height of the other."""
    before, after = _of_one_size(pictures)
    canvas = np.full((before.shape[0], before.shape[1] + GAP + after.shape[1], 3), 255, np.uint8)
    canvas[:, : before.shape[1]] = before
    canvas[:, before.shape[1] + GAP :] = after
    profile, grey, notes = _profile(pictures, kind)
    options = {"JPEG": {"quality": QUALITY, "subsampling": 0}, "WEBP": {"quality": QUALITY}, "PNG": {"compress_level": 2}}
    buffer = io.BytesIO()
    try:
        Image.fromarray(canvas[..., 0] if grey else canvas).save(buffer, kind, **options[kind], **profile)
    except (OSError, ValueError) as error:
        raise UsageError(f"two such pictures side by side cannot be written as {kind} ({error}); use .png or .html") from None
    return buffer.getvalue(), (*notes, *_unseen(pictures))


def make_flip(pictures: Shown, names: tuple[str, str]) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a GIF that shows two pictures in turn, made smaller where they are large."""
    frames = _of_one_size(pictures)
    scale = min(1.0, FLIP_SIDE / max(frames[0].shape[:2]))
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in frames[0].shape[1::-1])
        frames = (
            cv2.resize(frames[0], size, interpolation=cv2.INTER_AREA),
            cv2.resize(frames[1], size, interpolation=cv2.INTER_AREA),
        )
    before, after = (Image.fromarray(frame).quantize(256, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames)
    buffer = io.BytesIO()
    before.save(buffer, "GIF", save_all=True, append_images=[after], duration=FLIP_MS, loop=0, optimize=False)
    small = (f"a GIF is made {FLIP_SIDE} pixels large at most; a page (.html) shows every pixel",) if scale < 1 else ()
    profiles = ("a GIF has no colour profile; a page (.html) has",) if any(picture.tags.icc for picture in pictures) else ()
    notes = ("a GIF has 256 colours a picture; a page (.html) has all", *small, *profiles, *_unseen(pictures))
    return buffer.getvalue(), notes


def _unseen(pictures: Shown) -> tuple[str, ...]:
    """Return a note where pictures have transparency that is not shown."""
    return ("transparency is not shown",) if any(picture.alpha is not None for picture in pictures) else ()


def _of_one_size(pictures: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Return two pictures (H, W, 3), uint8, as high and wide as the larger one is."""
    arrays = [picture.rgb8() for picture in pictures]
    size = max((array.shape[1::-1] for array in arrays), key=lambda size: size[0] * size[1])
    before, after = (
        array if array.shape[1::-1] == size else cv2.resize(array, size, interpolation=cv2.INTER_NEAREST) for array in arrays
    )
    return before, after


def _profile(pictures: Shown, kind: str) -> tuple[dict[str, bytes], bool, tuple[str, ...]]:
    """Return the colour profile of both, as an option of Pillow's, whether it is one of greys, so that a file of format `kind`
    has to be grey, and a note where they have two, or it cannot be kept."""
    before, after = (picture.tags.icc for picture in pictures)
    kept = "that of the second is kept" if after else "that of the first is left out"
    notes = () if before == after else (f"the two have different colour profiles; {kept}",)
    if not (after and of_greys(after)):
        return ({"icc_profile": after} if after else {}), False, notes
    if kind not in COLOURED and all(picture.pixels.ndim == 2 for picture in pictures):
        return {"icc_profile": after}, True, notes
    return {}, False, ("a colour profile of greys does not fit a file of colours; left out",)


def _address(picture: Picture, name: str, lossy: bool) -> str:
    """Return a picture as an address that holds all of it (data:). Raises ImageError."""
    kind, options = ("JPEG", {"quality": QUALITY, "subsampling": 0}) if lossy else ("PNG", {"compress_level": 6})
    profile, grey, _ = _profile((picture, picture), kind)
    pixels = picture.rgb8()[..., 0] if grey else picture.rgb8()
    if picture.alpha is not None and not lossy:
        pixels = np.dstack([pixels, as_depth(picture.alpha / picture.top, np.dtype(np.uint8))])
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, kind, **options, **profile)
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: cannot be put into a page as {kind} ({error}); compare copies of fewer pixels") from None
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
