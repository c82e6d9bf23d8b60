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
from encoded import XMP, packed_bits, stored, tagged, tiff_of
from PIL import Image, TiffImagePlugin, features

from irflow_cli.engines.arrays import opened
from irflow_cli.errors import ImageError, UsageError
from irflow_cli.images.decode import decode_picture, read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture
from irflow_cli.images.span import parse_range


def test_floating_point_pixels_may_lie_beyond_white(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((9, 13, 3)).astype(np.float32)
    pixels[0, :2] += 3  # highlights
    pixels[1, 1] -= 1
    for alpha in (None, pixels[..., 0].copy()):
        path = stored(tmp_path, encode_picture(Picture(pixels, alpha, "TIFF"), "TIFF")[0], "float.tif")
        back = read_picture(path)
        assert np.array_equal(back.pixels, pixels)
        assert (back.alpha is None) == (alpha is None)
    broken = pixels.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(ImageError, match="no numbers"):
        read_picture(stored(tmp_path, encode_picture(Picture(broken, None, "TIFF"), "TIFF")[0]))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_deep_tiff_is_turned_upright(dtype: type, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(0).integers(0, 255, (12, 20, 3)).astype(dtype)
    turned = (274, 3, 1, 6, True)  # orientation: a quarter to the right
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", metadata=None, extratags=[turned])
    picture = read_picture(tmp_path / "a.tif", span=(0, 1) if dtype == np.float32 else None)
    assert np.array_equal(picture.pixels, np.rot90(pixels, -1))


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


def test_a_compression_that_nothing_here_reads_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30), np.uint16), compression="zstd")

    def missing(*_: object, **__: object) -> None:
        raise ValueError("<COMPRESSION.ZSTD: 50000> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", missing)
    with pytest.raises(ImageError, match="ZSTD needs imagecodecs; run"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize(("kind", "told"), [(4, "of them masks"), (2, "2 frames"), (0, "2 frames")])
def test_pages_are_taken_apart_or_named(kind: int, told: str, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(scene(20, 30), photometric="rgb", metadata=None)
        of_mask = {"photometric": "mask"} if kind == 4 else {}
        file.write(np.zeros((20, 30), bool), subfiletype=kind, metadata=None, **of_mask)
    if kind == 4:
        picture = read_picture(tmp_path / "a.tif")
        assert np.array_equal(picture.pixels, scene(20, 30))
        assert "masks of the first" in picture.notes[0]
        return
    with pytest.raises(ImageError, match=told):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32])
def test_numbers_that_are_no_light_are_named(dtype: type, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", np.ones((20, 30), dtype), photometric="minisblack", metadata=None)
    with pytest.raises(ImageError, match=r"signed numbers|32 bits a channel"):
        read_picture(tmp_path / "a.tif")


COUNTS = {
    "0..255": (0, 255),
    "0..65535": (0, 65535),
    "0..4095": (0, 4095),
    "-1..1": (-1, 1),
    "100..101": (100, 101),
    "0..1e-4": (0, 1e-4),
}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floating_point_numbers_need_a_range(count: str, dtype: type, channels: int, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    (low, high), photometric = COUNTS[count], "rgb" if channels == 3 else "minisblack"
    values = np.random.default_rng(0).random((24, 30, channels)).squeeze()
    with np.errstate(over="ignore"):
        pixels = (low + values * (high - low)).astype(dtype)
    if dtype == np.float16 and abs(high) > 60_000:
        pytest.skip("are no numbers of this type")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, metadata=None)
    with pytest.raises(ImageError, match=r"a\.tif: its floating-point numbers go from .*`range`, such as 0\.\.255"):
        read_picture(tmp_path / "a.tif")
    picture = read_picture(tmp_path / "a.tif", span=parse_range(count))
    grain = (
        np.spacing(np.result_type(dtype, np.float16).type(high) if dtype != np.float64 else np.float32(high)) / (high - low)
        + 1e-6
    )
    assert np.abs(picture.pixels - values).max() < grain
    back = tifffile.imread(io.BytesIO(encode_picture(picture, "TIFF")[0]))
    assert np.array_equal(back, pixels.astype(np.float32))  # to the last bit
    brighter = encode_picture(picture.with_pixels(picture.pixels + np.float32(0.25)), "TIFF")[0]
    assert np.allclose(tifffile.imread(io.BytesIO(brighter)), pixels.astype(float) + (high - low) / 4, rtol=1e-3, atol=1e-6)


TOLD = {
    "largest sample": {"extratags": [(340, 11, 1, 0.0, True), (341, 11, 1, 255.0, True)]},
    "ImageJ": {"description": "ImageJ=1.53t\nimages=1\nmin=0.0\nmax=255.0\n"},
}


@pytest.mark.parametrize("told", TOLD)
def test_a_range_that_tags_tell_is_used_and_said(told: str, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = scene(24, 30).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", metadata=None, **TOLD[told])
    picture = read_picture(tmp_path / "a.tif")
    assert np.allclose(picture.pixels, pixels / 255, atol=1e-6)
    assert "counts from 0 to 255, as its tags say" in picture.notes[0]


RANGES = {
    "0..255": (0.0, 255.0),
    "0..65535": (0.0, 65535.0),
    "-1..1": (-1.0, 1.0),
    "100..101": (100.0, 101.0),
    "0..1": (0.0, 1.0),
}
PLACES = {"low..high": None, "0..1": (0.0, 1.0)}  # where alpha counts


def _ends(low: float, high: float) -> list[tuple]:
    return [(340, 11, 1, low, True), (341, 11, 1, high, True)]


@pytest.mark.parametrize("count", RANGES)
@pytest.mark.parametrize("told", ["given", "tags"])
@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack", "rgb"])
@pytest.mark.parametrize("beside", [None, "unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("place", PLACES)
def test_floating_point_pixels_are_what_they_mean_in_every_range(
    count: str, told: str, photometric: str, beside: str | None, place: str, tmp_path: Path
) -> None:
    tifffile = pytest.importorskip("tifffile")
    (low, high), rng = RANGES[count], np.random.default_rng(0)
    colour, alpha = rng.random((21, 30, 3 if photometric == "rgb" else 1)), rng.uniform(0.5, 1, (21, 30, 1))
    kept = colour * alpha if beside == "assocalpha" else colour
    kept = low + (1 - kept if photometric == "miniswhite" else kept) * (high - low)
    first, last = PLACES[place] or (low, high)
    if beside and place == "low..high" and count == "-1..1":
        alpha[0, 0] = 0.1  # which tells it from 0 to 1
        kept[0, 0] = low if photometric != "miniswhite" else high
        colour[0, 0] = 0
    whole = kept if beside is None else np.concatenate([kept, first + alpha * (last - first)], 2)
    options = {"extrasamples": [beside], "planarconfig": "contig"} if beside else {}
    options |= {"extratags": _ends(low, high)} if told == "tags" else {}
    pixels = whole.squeeze().astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, metadata=None, **options)
    picture = read_picture(tmp_path / "a.tif", span=(low, high) if told == "given" else None)
    assert np.abs(picture.pixels - colour.squeeze()).max() < 1e-4
    assert (picture.alpha is not None) == (beside in ("unassalpha", "assocalpha"))
    assert picture.alpha is None or np.abs(picture.alpha - alpha[..., 0]).max() < 1e-4
    written = tifffile.imread(io.BytesIO(encode_picture(picture, "TIFF")[0]))
    meant = low + colour * (high - low)
    meant = meant if picture.alpha is None else np.concatenate([meant, whole[..., -1:]], 2)
    assert np.abs(written - meant.squeeze()).max() < 1e-4 * (high - low)
    if photometric != "miniswhite" and beside in (None, "unassalpha"):
        assert np.array_equal(written, pixels)  # to the last bit


@pytest.mark.parametrize("count", [(0.0, 1.0), (0.0, 255.0), (0.0, 4095.0), (0.0, 65535.0), (-1000.0, 3000.0)])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_transparency_may_count_otherwise_than_colours(
    count: tuple[float, float], photometric: str, top: float, tmp_path: Path
) -> None:
    tifffile = pytest.importorskip("tifffile")
    (low, high), rng = count, np.random.default_rng(0)
    colour, alpha = rng.random((21, 30, 3 if photometric == "rgb" else 1)), rng.random((21, 30, 1))
    alpha[0, 0], colour[0, 0] = 1, 0
    pixels = np.concatenate([low + colour * (high - low), alpha * top], 2).astype(np.float32)
    options = {"extrasamples": ["unassalpha"], "planarconfig": "contig", "photometric": photometric, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    picture = read_picture(tmp_path / "a.tif", span=(low, high))
    array, back = opened(pixels, (low, high))
    for one in (picture, array):
        assert one.alpha is not None
        assert np.abs(one.alpha - alpha[..., 0]).max() < 1e-4
        assert np.abs(one.pixels - colour.squeeze()).max() < 1e-4
    assert np.array_equal(tifffile.imread(io.BytesIO(encode_picture(picture, "TIFF")[0])), pixels)
    assert np.array_equal(back(array), pixels)


@pytest.mark.parametrize(("count", "most"), [((0, 65535), 254.0), ((0, 1), 100.0), ((0, 255), 60000.0), ((0, 4095), 65000.0)])
def test_transparency_of_an_unknown_scale_is_refused(count: tuple[int, int], most: float, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = (np.random.default_rng(0).random((21, 30, 4)) * count[1]).astype(np.float32)
    pixels[..., 3] = np.linspace(0, most, 30)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    told = r"its transparency goes from 0 to .*, and its colours from 0 to .*; let both count alike"
    with pytest.raises(ImageError, match=rf"a\.tif: {told}"):
        read_picture(tmp_path / "a.tif", span=count)
    with pytest.raises(UsageError, match=told):
        opened(pixels, count)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize(("most", "opaque"), [(1.0, 1.0), (0.5, 0.5), (255.0, 1.0), (128.0, 128 / 255)])
def test_an_arrays_transparency_counts_to_one_or_as_its_colours_do(channels: int, most: float, opaque: float) -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, (9, 13, channels)).astype(np.float32)
    pixels[..., -1] = most
    picture, back = opened(pixels, (0, 255))
    assert picture.alpha is not None
    assert np.allclose(picture.alpha, opaque)
    assert np.allclose(picture.pixels, pixels[..., :-1].squeeze() / 255)
    assert np.array_equal(back(picture), pixels)


LIES = {
    "0..1 of 0..255": ([(340, 11, 1, 0.0, True), (341, 11, 1, 1.0, True)], 255),
    "0..1 of 0..2": ([(340, 11, 1, 0.0, True), (341, 11, 1, 1.0, True)], 2),
    "0..255 of 0..1": ([(280, 3, 1, 0, True), (281, 3, 1, 255, True)], 1),
    "0..65535 of 0..255": ([(280, 3, 1, 0, True), (281, 3, 1, 65535, True)], 255),
    "0..255 of 0..65535": ([(340, 11, 1, 0.0, True), (341, 11, 1, 255.0, True)], 65535),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack", "rgb", "rgb and alpha"])
def test_tags_that_the_pixels_contradict_are_not_believed(lie: str, photometric: str, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    extratags, top = LIES[lie]
    shape = {"rgb": (24, 30, 3), "rgb and alpha": (24, 30, 4)}.get(photometric, (24, 30))
    pixels = (np.random.default_rng(0).random(shape) * top).astype(np.float32)
    options = {"extrasamples": ["unassalpha"]} if shape[-1] == 4 else {}
    how = {"photometric": photometric[:3] if shape[2:] else photometric, "metadata": None, **options}
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=extratags, **how)
    with pytest.raises(ImageError, match=r"a\.tif: its floating-point .* its tags say .* give `range`, such as 0\.\.255"):
        read_picture(tmp_path / "a.tif")
    colour = read_picture(tmp_path / "a.tif", span=(0, top)).pixels
    expected = pixels[..., :3] / top if shape[2:] else pixels / top
    assert np.allclose(colour, 1 - expected if photometric == "miniswhite" else expected, atol=1e-5)


@pytest.mark.parametrize("value", [0, 100, 255])
def test_tags_of_one_flat_colour_are_believed(value: int, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.full((24, 30), value, np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata=None, extratags=_ends(0.0, 255.0))
    assert np.allclose(read_picture(tmp_path / "a.tif").pixels, value / 255)


@pytest.mark.parametrize("text", ["255", "0-255", "255..0", "0..0", "0..nan", "a..b", "0..1e999", ""])
def test_ranges_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="`range`"):
        parse_range(text)


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
