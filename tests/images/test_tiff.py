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
from encoded import XMP, stored, tagged
from PIL import Image, TiffImagePlugin, features

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture, read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("compression", [None, "lzw", "deflate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planes", [False, True])
def test_inks_with_a_fifth_channel_are_called_what_they_are(
    extra: str, compression: str | None, dtype: type, planes: bool, tmp_path: Path
) -> None:
    tifffile = pytest.importorskip("tifffile")
    if compression == "lzw":
        pytest.importorskip("imagecodecs")
    pixels = np.arange(6 * 8 * 5).reshape((5, 6, 8) if planes else (6, 8, 5)).astype(dtype)
    how = {"photometric": "separated", "extrasamples": [extra], "planarconfig": "separate" if planes else "contig"}
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, **how)
    bits = 8 * np.dtype(dtype).itemsize
    with pytest.raises(ImageError, match=rf"a\.tif: holds inks \(CMYK or others\) in 5 channels of {bits} bits"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["webp", "png", "jpeg2000", "zstd"])
def test_what_another_reader_takes_is_read_without_a_word(compression: str, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    options = {"compressionargs": {"lossless": True}} if compression == "webp" else {}
    tifffile.imwrite(tmp_path / "a.tif", scene(20, 30), photometric="rgb", compression=compression, **options)
    picture = read_picture(tmp_path / "a.tif")
    assert (picture.pixels == scene(20, 30)).all()
    assert picture.notes == ()


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


def test_a_compression_that_nothing_here_reads_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30), np.uint16), compression="zstd")

    def missing(*_: object, **__: object) -> None:
        raise ValueError("<COMPRESSION.ZSTD: 50000> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", missing)
    with pytest.raises(ImageError, match="ZSTD needs imagecodecs; run"):
        read_picture(tmp_path / "a.tif")


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
    with pytest.raises(ImageError, match="2 frames"):
        read_picture(tmp_path / "pages.tif")


@pytest.mark.parametrize(("packed", "kind"), [(34712, "JPEG2000"), (50001, "WEBP")])
def test_a_picture_inside_a_tiff_is_no_larger_than_the_tiff_says(packed: int, kind: str) -> None:
    pytest.importorskip("imagecodecs")
    if not features.check({"JPEG2000": "jpg_2000", "WEBP": "webp"}[kind]):
        pytest.skip("Pillow was built without it")
    inner, buffer = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (900, 900)).save(inner, kind, **({"no_jp2": True} if kind == "JPEG2000" else {"lossless": True}))
    data = inner.getvalue()
    entries = {256: 64, 257: 64, 258: (8, 8, 8), 259: packed, 262: 2, 273: 0, 277: 3, 278: 64, 279: len(data), 338: 0}
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    directory.update(entries)
    directory.save(buffer)
    with pytest.raises(ImageError, match="its pixels are more than its size says"):
        decode_picture(buffer.getvalue() + data, "a.tif")
