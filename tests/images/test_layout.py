"""Every way of laying out the pixels of a TIFF."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from encoded import packed_bits, stored, tiff_of

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture, read_picture
from irflow_cli.images.encode import encode_picture


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"photometric": "rgb", "extrasamples": ["unspecified"] * 2}, "5 channels"),
        ({"photometric": "separated"}, "CMYK"),
        ({"photometric": "cielab", "extrasamples": ["unspecified"]}, "CIE Lab"),
    ],
)
def test_layouts_that_would_be_misread_are_refused(tmp_path: Path, options: dict, told: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    shape = (20, 30, 5) if told == "5 channels" else (20, 30, 4)
    pixels = np.random.default_rng(0).integers(0, 65536, shape).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, metadata=None, **options)
    with pytest.raises(ImageError, match=told):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("white", [0, 1])
def test_grey_of_every_depth_is_what_it_means(bits: int, white: int, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    if bits not in (1, 8, 16):
        pytest.importorskip("imagecodecs")
    values = np.random.default_rng(0).integers(0, 2**bits, (21, 30)).astype(np.uint8 if bits <= 8 else np.uint16)
    kept = 2**bits - 1 - values if white == 0 else values
    rows = packed_bits(kept, bits) if bits not in (8, 16) else [kept.tobytes()]
    tifffile.imwrite(
        tmp_path / "a.tif",
        iter([b"".join(rows)]),
        shape=values.shape,
        dtype=bool if bits == 1 else values.dtype,
        photometric="miniswhite" if white == 0 else "minisblack",
        bitspersample=bits,
        rowsperstrip=len(values),
        metadata=None,
    )
    picture = read_picture(tmp_path / "a.tif")
    top = 255 if bits <= 8 else 65535
    assert picture.pixels.dtype == values.dtype
    assert np.abs(picture.pixels - values * (top / (2**bits - 1))).max() <= 0.5
    for kind in ("TIFF", "PNG"):
        again = stored(tmp_path, encode_picture(picture, kind)[0], f"again.{kind}")
        assert np.array_equal(read_picture(again).pixels, picture.pixels)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
@pytest.mark.parametrize("white", [0, 1])
@pytest.mark.parametrize("packed", [1, 8])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_whose_lowest_bit_comes_first_are_turned(bits: int, white: int, packed: int, order: str) -> None:
    if bits in (8, 12):
        pytest.importorskip("tifffile")
        pytest.importorskip("imagecodecs")
    values = np.random.default_rng(0).integers(0, 2**bits, (21, 32)).astype(np.uint16)
    kept = 2**bits - 1 - values if white == 0 else values
    rows = b"".join(packed_bits(kept, bits)) if bits != 16 else kept.astype(f"{order}u2").tobytes()
    rows = zlib.compress(rows) if packed == 8 else rows
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in rows)
    tags = {256: 32, 257: 21, 258: bits, 259: packed, 262: white, 266: 2, 273: 1000, 277: 1, 278: 21, 279: len(turned)}
    picture = decode_picture(tiff_of([(tag, 4, 1, value) for tag, value in tags.items()], (1000, turned), order=order), "a.tif")
    assert np.abs(picture.pixels - values * (picture.top / (2**bits - 1))).max() <= 0.5


LAYOUTS = {
    "lzw": {"compression": "lzw", "predictor": True},
    "zlib, tiles, big-endian": {"compression": "zlib", "tile": (16, 16), "byteorder": ">"},
    "packbits": {"compression": "packbits"},
    "big-endian": {"byteorder": ">"},
    "BigTIFF, big-endian": {"bigtiff": True, "byteorder": ">"},
    "zstd": {"compression": "zstd"},
    "lzma": {"compression": "lzma", "byteorder": ">"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack", "rgb"])
@pytest.mark.parametrize("beside", [None, "unassalpha", "assocalpha", "unspecified"])
def test_every_way_of_laying_out_a_tiff_gives_its_pixels(
    layout: str, dtype: type, photometric: str, beside: str | None, tmp_path: Path
) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    top, rng = np.iinfo(dtype).max, np.random.default_rng(0)
    colour = rng.integers(0, top + 1, (21, 30, 3 if photometric == "rgb" else 1)).astype(dtype)
    other = rng.integers(top // 2, top + 1, (21, 30, 1)).astype(dtype)
    multiplied = np.round(colour * (other / top)).astype(dtype) if beside == "assocalpha" else colour
    multiplied = top - multiplied if photometric == "miniswhite" else multiplied
    whole = multiplied if beside is None else np.concatenate([multiplied, other], 2)
    options = {"extrasamples": [beside], "planarconfig": "contig"} if beside else {}
    tifffile.imwrite(tmp_path / "a.tif", whole.squeeze(), photometric=photometric, metadata=None, **options, **LAYOUTS[layout])
    picture = read_picture(tmp_path / "a.tif")
    assert picture.pixels.dtype == dtype
    assert np.abs(picture.pixels.astype(int) - colour.squeeze()).max() <= (1 if beside == "assocalpha" else 0)
    assert (picture.alpha is not None) == (beside in ("unassalpha", "assocalpha"))
    assert picture.alpha is None or np.array_equal(picture.alpha, other[..., 0])
    assert any("whose meaning it does not tell" in note for note in picture.notes) == (beside == "unspecified")
