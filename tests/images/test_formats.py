"""What the formats hold."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from encoded import stored, tagged

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import check_encoding, encode_picture
from irflow_cli.images.formats import FORMATS, Coding
from irflow_cli.images.metadata import Tags
from irflow_cli.images.picture import Picture, as_depth


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_depth_that_a_format_cannot_hold_is_rounded_and_said(kind: str, dtype: str, tmp_path: Path) -> None:
    pixels = as_depth(scene(24, 24), np.dtype(dtype))
    data, notes = encode_picture(Picture(pixels, None, "PNG"), kind)
    holds = dtype in FORMATS[kind].dtypes
    assert any("cannot hold" in note for note in notes) != holds
    back = read_picture(stored(tmp_path, data)).pixels
    if holds:
        assert back.dtype == dtype
    assert np.abs(as_depth(back, np.dtype("float32")) - as_depth(pixels, np.dtype("float32"))).mean() < 0.03


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    picture = read_picture(tagged(tmp_path, "PNG"))
    assert "cannot hold a colour profile" in encode_picture(picture, "BMP")[1][0]
    assert "`quality` is left out" in encode_picture(picture, "PNG", Coding(quality=50))[1][0]
    long = replace(picture, tags=Tags(xmp=b"x" * 70_000))
    assert "too long for a JPEG" in encode_picture(long, "JPEG")[1][0]


def test_heic_says_what_it_needs_when_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"pip install .*formats"):
        read_picture(stored(tmp_path, b"\0\0\0\x18ftypheic" + b"\0" * 40))


@pytest.mark.parametrize(("kind", "side"), [("WEBP", 16384), ("JPEG", 65501)])
def test_a_side_that_a_format_cannot_hold_is_told_before_any_work(kind: str, side: int) -> None:
    with pytest.raises(ImageError, match=f"up to {side - 1} pixels"):
        check_encoding(Picture(np.zeros((1, side, 3), np.uint8), None, "PNG"), kind, Coding())
    assert encode_picture(Picture(np.zeros((1, side - 1, 3), np.uint8), None, "PNG"), kind)[0]
