"""TIFFs of more than 8 bits, of floating-point numbers and of rare layouts."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image, ImageCms

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.metadata import EXIF_IFD, GPS_IFD, Tags
from irflow_cli.images.picture import Picture


def stored(tmp_path: Path, data: bytes, name: str = "picture.png") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.fixture(autouse=True)
def _heic_is_an_extra(request: pytest.FixtureRequest) -> None:
    if "HEIF" in request.node.name:
        pytest.importorskip("pillow_heif")


def test_floating_point_pixels_may_lie_beyond_white(tmp_path: Path) -> None:
    pixels = (np.random.default_rng(0).random((9, 13, 3)) * 3 - 1).astype(np.float32)
    for alpha in (None, pixels[..., 0].copy()):
        path = stored(tmp_path, encode_picture(Picture(pixels, alpha, "TIFF"), "TIFF")[0], "float.tif")
        back = read_picture(path)
        assert np.array_equal(back.pixels, pixels)
        assert (back.alpha is None) == (alpha is None)
    broken = pixels.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(ImageError, match="no numbers"):
        read_picture(stored(tmp_path, encode_picture(Picture(broken, None, "TIFF"), "TIFF")[0]))


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><place exif:GPSLatitude="1"/></x:xmpmeta>'


def tagged(tmp_path: Path, kind: str = "JPEG") -> Path:
    """Return a file with a colour profile, EXIF with a place in it, and XMP."""
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif[EXIF_IFD] = {36867: "2020:01:02 03:04:05"}
    exif[GPS_IFD] = {1: "N", 2: (1.0, 2.0, 3.0)}
    tags = Tags(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), exif.tobytes(), XMP)
    return stored(tmp_path, encode_picture(Picture(scene(16, 16), None, kind, tags), kind)[0], "tagged")


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_deep_tiff_is_turned_upright(dtype: type, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(0).integers(0, 255, (12, 20, 3)).astype(dtype)
    turned = (274, 3, 1, 6, True)  # orientation: a quarter to the right
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", metadata=None, extratags=[turned])
    assert np.array_equal(read_picture(tmp_path / "a.tif").pixels, np.rot90(pixels, -1))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(9, 13), (9, 13, 3), (9, 13, 4)])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_others_read_our_deep_tiffs(dtype: type, shape: tuple[int, ...], compression: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = (np.random.default_rng(0).random(shape) * (65535 if dtype == np.uint16 else 1)).astype(dtype)
    colour, alpha = (pixels, None) if shape[-1] != 4 else (pixels[..., :3], pixels[..., 3])
    data, _ = encode_picture(Picture(colour, alpha, "TIFF", coding={"compression": compression}), "TIFF")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert np.array_equal(file.asarray(), pixels)
        assert file.pages[0].compression == (1 if compression == "raw" else 8)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"photometric": "rgb", "extrasamples": ["unspecified"] * 2}, "5 channels"),
        ({"photometric": "rgb", "extrasamples": ["assocalpha"]}, "multiplied by their transparency"),
        ({"photometric": "separated"}, "CMYK"),
    ],
)
def test_layouts_that_would_be_misread_are_refused(tmp_path: Path, options: dict, told: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    shape = (20, 30, 5) if told == "5 channels" else (20, 30, 4)
    pixels = np.random.default_rng(0).integers(0, 65536, shape).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, metadata=None, **options)
    with pytest.raises(ImageError, match=told):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("layout", ["planes", "float16", "float64", "grey with transparency", "a second channel", "float32"])
def test_tiffs_of_rare_layouts_are_read(layout: str, big: bool, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    shape = {"planes": (3, 20, 30), "grey with transparency": (20, 30, 2), "a second channel": (20, 30, 2)}.get(
        layout, (20, 30, 3)
    )
    pixels = np.random.default_rng(0).integers(0, 65536, shape).astype(np.uint16)
    pixels = (pixels / 65535).astype(layout) if layout.startswith("float") else pixels
    options: dict[str, object] = {"photometric": "rgb" if 3 in shape else "minisblack"}
    options |= {"planarconfig": "separate"} if layout == "planes" else {}
    options |= {"planarconfig": "contig"} if shape[-1] == 2 else {}
    options |= {"extrasamples": ["unassalpha" if layout.startswith("grey") else "unspecified"]} if shape[-1] == 2 else {}
    turned = (274, 3, 1, 3, True)  # orientation: upside down
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels,
        bigtiff=big,
        metadata=None,
        extratags=[turned],
        compression="zlib",
        predictor=pixels.dtype.kind == "u",
        **options,
    )
    picture = read_picture(tmp_path / "a.tif")
    expected = (np.moveaxis(pixels, 0, -1) if layout == "planes" else pixels)[::-1, ::-1]
    if shape[-1] == 2:
        assert np.array_equal(picture.pixels, expected[..., 0])
        assert (picture.alpha is None) == (layout == "a second channel")
        assert picture.alpha is None or np.array_equal(picture.alpha, expected[..., 1])
    else:
        assert np.array_equal(picture.pixels, expected.astype(picture.pixels.dtype))
    told = {"float16": "of 16 bits", "float64": "of 64 bits", "a second channel": "second channel"}.get(layout)
    assert [note for note in picture.notes if told and told in note] == list(picture.notes)
    assert bool(told) == bool(picture.notes)


def test_a_strip_that_holds_more_than_its_size_says_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tifffile")
    pixels = np.zeros((20, 30), np.uint16)
    data, _ = encode_picture(Picture(pixels, pixels, "TIFF", coding={"compression": "tiff_adobe_deflate"}), "TIFF")
    strip, bomb = zlib.compress(bytes(20 * 30 * 4)), zlib.compress(bytes(10**8))
    assert data.endswith(strip)
    longer = data[: -len(strip)].replace(struct.pack("<I", len(strip)), struct.pack("<I", len(bomb))) + bomb
    with pytest.raises(ImageError, match="more than its size says"):
        read_picture(stored(tmp_path, longer, "bomb.tif"))


def test_what_reads_a_rare_layout_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.zeros((20, 30, 2), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig="contig", metadata=None)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ImageError, match=r"a\.tif: this kind of TIFF needs tifffile; run"):
        read_picture(tmp_path / "a.tif")


def test_where_white_is_zero_it_is_turned_round(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 30)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite", metadata=None)
    assert np.array_equal(read_picture(tmp_path / "a.tif").pixels, 65535 - pixels)


def test_a_floating_point_tiff_is_read_as_strictly_as_others(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    picture = read_picture(tagged(tmp_path, "TIFF"))
    data, _ = encode_picture(picture.with_pixels(picture.pixels.astype(np.float32) / 255), "TIFF")
    path = stored(tmp_path, data, "float.tif")
    back = read_picture(path)
    assert (back.tags.icc, back.tags.xmp) == (picture.tags.icc, XMP)
    exif = Image.Exif()
    exif.load(back.tags.exif)
    assert exif[0x010F] == "maker"
    with pytest.raises(ImageError, match="`max_pixels`"):
        read_picture(path, max_pixels=100)
    pages = np.zeros((2, 20, 30, 3), np.float32)
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="rgb", metadata=None)
    with pytest.raises(ImageError, match="several pages"):
        read_picture(tmp_path / "pages.tif")
