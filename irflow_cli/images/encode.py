"""Pictures into the bytes of files: what each format can hold, and what is said when it cannot."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import register_heif
from irflow_cli.images.deep import encode_deep_png
from irflow_cli.images.formats import FORMATS, QUALITY, Coding
from irflow_cli.images.metadata import SIZED_BY_EXIF, XMP_TAG, Tags, kept_tags, mark_undefined, printed, sized
from irflow_cli.images.picture import BAND, Picture, as_depth
from irflow_cli.images.texts import IPTC_TAG, chunks_of, segments_of
from irflow_cli.images.tiff import encode_deep_tiff
from irflow_cli.images.unkept import held

PNG_LEVEL = 2  # of zlib: at 6 photographs get smaller by some 8 hundredths, in four times the time


def check_encoding(picture: Picture, kind: str, coding: Coding, scale: int = 1) -> None:
    """Raise ImageError for a picture, `scale` times as high and wide, that format `kind` cannot hold, for its size, for its
    transparency or, where asked, without loss."""
    if picture.alpha is not None and not FORMATS[kind].alpha:
        raise ImageError(f"{kind} cannot hold transparency; write PNG or WebP (`format`)")
    side, most = scale * max(picture.pixels.shape[:2]), FORMATS[kind].side
    if side > most:
        raise ImageError(f"{kind} holds up to {most} pixels a side, not {side}; write PNG or TIFF (`format`)")
    if kind == "HEIF":
        register_heif()
    if coding.lossless and FORMATS[kind].exact == "never":
        raise ImageError(f"{kind} cannot be written without loss here; write PNG or WebP (`format`)")


def encode_picture(
    picture: Picture, kind: str, coding: Coding | None = None, *, spend: bool = False
) -> tuple[bytes, tuple[str, ...]]:
    """Return the picture as the bytes of a file of format `kind`, and what got lost on the way, to be said.

    Depth and tags that the format cannot hold are rounded or left out, and said. With `spend` the memory of the pixels may be
    given back while they are written, so that a large picture is not there twice: nothing may look at them afterwards.
    Raises ImageError as `check_encoding` does.
    """
    coding, form, notes = coding or Coding(), FORMATS[kind], []
    check_encoding(picture, kind, coding)
    if coding.quality is not None and form.exact == "always":
        notes.append(f"{kind} has no quality; `quality` is left out")
    tags, said = kept_tags(picture.tags, coding.metadata)
    tags, more = held(tags, kind)
    notes += more
    if picture.pixels.dtype.name not in form.dtypes:
        dtype = np.dtype(form.dtypes[-1])
        notes.append(f"{kind} cannot hold {picture.pixels.dtype.name}; written as {dtype.name}")
        if picture.beyond:
            notes.append("values beyond 0 to 1 were clipped")
        alpha = None if picture.alpha is None else as_depth(picture.alpha, dtype)
        picture = replace(picture, pixels=as_depth(picture.pixels, dtype), alpha=alpha)
    if tags.dpi and kind in SIZED_BY_EXIF:
        tags = replace(tags, exif=printed(tags.exif, tags.dpi))
    if tags.exif:
        tags = replace(tags, exif=sized(tags.exif, picture.pixels.shape))
    picture = replace(picture, tags=tags)
    packed = kind == "TIFF" and tags.exif and picture.coding.get("compression", "raw") != "raw"  # libtiff takes no such EXIF
    if picture.pixels.dtype == np.uint8 and not packed:
        data = _by_pillow(picture, kind, coding, spend)
    else:
        data = encode_deep_tiff(picture) if kind == "TIFF" else encode_deep_png(picture)
    return data, (*notes, *said)


def _by_pillow(picture: Picture, kind: str, coding: Coding, spend: bool) -> bytes:
    tags = picture.tags
    options: dict[str, Any] = dict(picture.coding) if kind == picture.format else {}
    if kind in ("JPEG", "WEBP", "AVIF", "HEIF") and (coding.quality is not None or not options):
        full = {"JPEG": {"subsampling": "4:4:4"}, "AVIF": {"subsampling": "4:4:4"}, "HEIF": {"chroma": 444}}.get(kind, {})
        options = {name: options.get(name, value) for name, value in full.items()}
        options["quality"] = QUALITY if coding.quality is None else coding.quality
    if kind == "WEBP":
        lossless = coding.lossless or (coding.quality is None and bool(options.get("lossless")))
        options |= {"lossless": lossless, "exact": lossless}
        options.setdefault("quality", QUALITY)
    options |= {"compress_level": PNG_LEVEL} if kind == "PNG" else {}
    options |= {"icc_profile": tags.icc} if tags.icc else {}
    options |= {"dpi": tags.dpi} if tags.dpi and kind in ("PNG", "JPEG", "TIFF", "BMP") else {}
    if kind == "TIFF":
        options["exif"] = Image.Exif()
        options["exif"].load(tags.exif or b"")
        options["exif"].update({XMP_TAG: tags.xmp} if tags.xmp else {})
        options["exif"].update({IPTC_TAG: tags.caption} if tags.caption else {})
    elif kind != "BMP":
        options |= {"exif": tags.exif} if tags.exif else {}
        options |= {"xmp": tags.xmp} if tags.xmp and kind != "PNG" else {}
    options |= {"pnginfo": _png_info(tags)} if kind == "PNG" else {}
    options |= {"extra": segments_of(tags)} if kind == "JPEG" else {}
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    buffer = io.BytesIO()
    try:
        _image_of(pixels, spend).save(buffer, kind, **options)
    except (OSError, ValueError, KeyError) as error:
        raise ImageError(f"cannot be written as {kind} ({error})") from None
    if kind == "TIFF" and tags.exif:
        with buffer.getbuffer() as block:
            mark_undefined(block)
    return buffer.getvalue()


def _png_info(tags: Tags) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, data in chunks_of(tags):
        info.add(name, data)
    if tags.xmp:
        info.add_itxt("XML:com.adobe.xmp", tags.xmp.decode(errors="replace"))
    return info


def _image_of(pixels: np.ndarray, spend: bool) -> Image.Image:
    """Return pixels as Pillow has them. With `spend` they are handed over from the bottom up, and what was is given back."""
    if not (spend and pixels.flags.owndata and pixels.flags.c_contiguous):
        return Image.fromarray(pixels)
    image: Image.Image | None = None
    for top in reversed(range(0, len(pixels), BAND)):
        band = Image.fromarray(pixels[top:])
        image = image or Image.new(band.mode, pixels.shape[1::-1], None)  # type: ignore[arg-type] - None: as it comes
        image.paste(band, (0, top))
        pixels.resize((top, *pixels.shape[1:]), refcheck=False)
    assert image is not None
    return image
