"""Before and after in one file."""

from __future__ import annotations

import base64
import io
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from drawn import scene
from PIL import Image, ImageCms

from irflow_cli.images.formats import FORMATS
from irflow_cli.images.metadata import Tags
from irflow_cli.images.picture import Picture
from irflow_cli.services.compare import EXACT_PIXELS, make_flip, make_page, make_side


def test_a_page_holds_pictures_that_are_too_long_for_jpeg() -> None:
    length = FORMATS["JPEG"].side + 1
    pixels = np.full((EXACT_PIXELS // length + 1, length, 3), 7, np.uint8)
    page, notes = make_page((Picture(pixels, None, "PNG"), Picture(pixels, None, "PNG")), ("a.png", "b.png"))
    found = re.findall(rb'src="data:image/(\w+);base64,([^"]+)"', page)
    assert [kind for kind, _ in found] == [b"png", b"png"] and not notes
    with Image.open(io.BytesIO(base64.b64decode(found[0][1]))) as shown:
        assert np.array_equal(np.asarray(shown), pixels)


def test_a_page_shows_transparency_that_lies_beyond_its_range() -> None:
    pixels, alpha = np.full((8, 8, 3), 0.5, np.float32), np.full((8, 8), 1.002, np.float32)
    alpha[0] = -0.5
    page, _ = make_page((Picture(pixels, alpha, "TIFF"), Picture(pixels, alpha, "TIFF")), ("a.tif", "b.tif"))
    found = re.findall(rb'src="data:image/png;base64,([^"]+)"', page)
    with Image.open(io.BytesIO(base64.b64decode(found[0]))) as shown:
        assert np.asarray(shown)[:, 0, 3].tolist() == [0] + 7 * [255]


GREYS, COLOURS = (bytes(16) + space + bytes(108) for space in (b"GRAY", b"RGB "))  # heads of profiles, which say of what
LEFT_OUT = ("a colour profile of greys does not fit a file of colours; left out",)


def _picture(icc: bytes | None, shape: tuple[int, ...] = (8, 8)) -> Picture:
    return Picture(np.full(shape, 90, np.uint8), None, "PNG", Tags(icc))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_profile_of_greys_stands_in_no_file_of_colours(kind: str) -> None:
    grey, colour = _picture(GREYS), _picture(COLOURS, (8, 8, 3))
    holds = kind != "WEBP"
    for pictures, mode, profile, said in (
        ((grey, grey), "L" if holds else "RGB", GREYS if holds else None, () if holds else LEFT_OUT),
        ((colour, grey), "RGB", None, LEFT_OUT),
        ((_picture(COLOURS),) * 2, "RGB", COLOURS, ()),
    ):
        data, notes = make_side(pictures, kind)
        with Image.open(io.BytesIO(data)) as shown:
            assert (shown.mode, shown.info.get("icc_profile"), notes) == (mode, profile, said)
            assert shown.size == (32, 8)


@pytest.mark.parametrize(("alpha", "mode"), [(None, "L"), (np.full((8, 8), 9, np.uint8), "LA")])
def test_a_page_holds_grey_pictures_with_a_profile_of_greys_as_grey(alpha: np.ndarray | None, mode: str) -> None:
    picture = replace(_picture(GREYS), alpha=alpha)
    page, _ = make_page((picture, picture), ("a.png", "b.png"))
    found = re.findall(rb'src="data:image/png;base64,([^"]+)"', page)
    with Image.open(io.BytesIO(base64.b64decode(found[0]))) as shown:
        assert (shown.mode, shown.info["icc_profile"]) == (mode, GREYS)


def test_a_page_is_made_of_names_in_another_encoding() -> None:
    picture = Picture(scene(20, 30), None, "PNG")
    page, _ = make_page((picture, picture), (os.fsdecode(b"latin\xe9.png"), "b.png"))
    assert b"latin?.png" in page


def test_of_two_profiles_it_is_told_which_is_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain, tagged = (Picture(scene(20, 30), None, "PNG", Tags(icc=icc)) for icc in (None, profile))
    for pictures, told in (((tagged, plain), "that of the first is left out"), ((plain, tagged), "that of the second is kept")):
        data, notes = make_side(pictures, "PNG")
        assert any(note.endswith(told) for note in notes)
        assert ("icc_profile" in Image.open(io.BytesIO(data)).info) == (pictures[1] is tagged)


def test_what_a_comparison_cannot_show_is_told() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    clear = Picture(scene(20, 30), np.full((20, 30), 9, np.uint8), "PNG", Tags(icc=profile))
    said = " | ".join(make_flip((clear, clear), ("a", "b"))[1])
    assert "a GIF has no colour profile" in said and "transparency is not shown" in said
    assert make_side((clear, clear), "PNG")[1] == ("transparency is not shown",)
    plain = replace(clear, alpha=None, tags=Tags())
    assert make_side((plain, plain), "PNG")[1] == () and len(make_flip((plain, plain), ("a", "b"))[1]) == 1
