"""What floating-point numbers of a TIFF mean."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from encoded import stored

from irflow_cli.engines.arrays import opened
from irflow_cli.errors import ImageError, UsageError
from irflow_cli.images.decode import read_picture
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
