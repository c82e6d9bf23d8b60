"""Damage in the JPEGs that a TIFF packs its strips and tiles as is found as in any JPEG."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from drawn import scene
from PIL import Image, TiffImagePlugin

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture

GRAINY = (scene(120, 200) + np.random.default_rng(0).normal(0, 9, (120, 200, 3))).clip(0, 255).astype(np.uint8)
STRIPS = ["colour", "grey", "one strip", "BigTIFF"]
OTHERS = ["tiles", "big-endian tiles", "channels apart"]


def packed(form: str) -> bytes:
    """Return a TIFF packed as JPEG."""
    buffer = io.BytesIO()
    if form in STRIPS:
        pixels = GRAINY[..., 0] if form == "grey" else GRAINY
        rows = {TiffImagePlugin.ROWSPERSTRIP: 120 if form == "one strip" else 24}
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image.save(buffer, "TIFF", compression="jpeg", quality=90, tiffinfo=rows, big_tiff=form == "BigTIFF")
        return buffer.getvalue()
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    apart = form == "channels apart"
    pixels, planes = (GRAINY.transpose(2, 0, 1).copy(), "separate") if apart else (GRAINY, "contig")
    order = ">" if form == "big-endian tiles" else "<"
    tifffile.imwrite(buffer, pixels, photometric="rgb", compression="jpeg", tile=(64, 64), planarconfig=planes, byteorder=order)
    return buffer.getvalue()


def strips_of(data: bytes) -> list[tuple[int, int]]:
    """Return where the strips or tiles begin, and their bytes."""
    with Image.open(io.BytesIO(data)) as image:
        tags = image.tag_v2  # type: ignore[attr-defined]
        places = (tags[324], tags[325]) if 324 in tags else (tags[273], tags[279])
    return list(zip(*(value if isinstance(value, tuple) else (value,) for value in places), strict=True))


HARMS = {
    "zeros": lambda part: part[: len(part) // 2] + bytes(64) + part[len(part) // 2 + 64 :],
    "an early end": lambda part: part[: len(part) // 2] + b"\xff\xd9" + part[len(part) // 2 + 2 :],
    "no end": lambda part: part[:-2] + b"\0\0",
    "a run of ones": lambda part: part[: len(part) // 2] + b"\xff" * 300 + part[len(part) // 2 + 300 :],
    "no JPEG": lambda part: bytes(len(part)),
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("form", [*STRIPS, *OTHERS])
def test_a_damaged_strip_is_the_files_own_failure(form: str, harm: str) -> None:
    whole = packed(form)
    assert decode_picture(whole, "a.tif").notes == ()
    places = strips_of(whole)
    for start, count in (places[0], places[len(places) // 2]):
        part = HARMS[harm](whole[start : start + count])
        assert len(part) == count
        with pytest.raises(ImageError, match=r"^a\.tif: damaged"):
            decode_picture(whole[:start] + part + whole[start + count :], "a.tif")


@pytest.mark.parametrize("form", ["colour", "tiles"])
@pytest.mark.parametrize("size", [(60_000, 60_000), (24, 60_000), (0, 200)])
def test_a_strip_larger_than_its_place_is_not_unpacked(
    form: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = packed(form)
    start, count = strips_of(whole)[1]
    frame = whole.index(b"\xff\xc0", start, start + count) + 5
    monkeypatch.setattr(Image, "open", lambda *given, **options: pytest.fail("opened"))
    with pytest.raises(ImageError, match="not of the size of its pixels"):
        decode_picture(whole[:frame] + struct.pack(">HH", *size) + whole[frame + 4 :], "a.tif")


def test_strips_that_are_missing_are_damage() -> None:
    whole = packed("colour")
    start, _ = strips_of(whole)[-1]
    last = whole.rindex(struct.pack("<I", start))
    with pytest.raises(ImageError, match="some of its strips or tiles are missing"):
        decode_picture(whole[:last] + struct.pack("<I", len(whole)) + whole[last + 4 :], "a.tif")
