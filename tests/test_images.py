"""Pictures in files: exact round trips, upright pixels, strict decoding, atomic writing."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import scene
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin

from irflow_cli.errors import DiskFull, ImageError
from irflow_cli.runtime.encoding import FORMATS, Coding, check_encoding, encode_picture
from irflow_cli.runtime.images import EXIF_IFD, GPS_IFD, Picture, Tags, as_depth, find_pictures, read_picture, write_atomically


def stored(tmp_path: Path, data: bytes, name: str = "picture.png") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_round_trips_are_exact(kind: str, dtype: type, channels: int, alpha: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = (9, 13) if channels == 1 else (9, 13, 3)
    top = np.iinfo(dtype).max
    picture = Picture(
        rng.integers(0, top + 1, shape).astype(dtype),
        rng.integers(0, top + 1, (9, 13)).astype(dtype) if alpha else None,
        kind,
    )
    back = read_picture(stored(tmp_path, encode_picture(picture, kind)[0]))
    assert np.array_equal(back.pixels, picture.pixels)
    assert back.pixels.dtype == dtype
    assert (back.alpha is None) == (not alpha)
    if picture.alpha is not None and back.alpha is not None:
        assert np.array_equal(back.alpha, picture.alpha)


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_stand_upright(turn: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / "turned.png"
    Image.fromarray(scene(12, 20)).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    picture = read_picture(path)
    assert np.array_equal(picture.pixels, expected)
    again = read_picture(stored(tmp_path, encode_picture(picture, "PNG")[0], "again.png"))
    assert np.array_equal(again.pixels, expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_usual_mode_is_read(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("picture.tiff" if mode == "CMYK" else "picture.png")
    Image.fromarray(scene(10, 12)).convert(mode).save(path)
    picture = read_picture(path)
    assert picture.pixels.shape == ((10, 12) if mode in ("1", "L", "LA") else (10, 12, 3))
    assert (picture.alpha is not None) == (mode in ("LA", "RGBA"))
    assert picture.rgb8().shape == (10, 12, 3)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(scene(8, 8)).save(buffer, "WEBP")
    assert read_picture(stored(tmp_path, buffer.getvalue(), "named.png")).format == "WEBP"


def _gif() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.fromarray(scene(8, 8, seed)) for seed in range(3)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def _jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(scene(64, 64)).save(buffer, "JPEG")
    return buffer.getvalue()


def _truncated_png16() -> bytes:
    data = cv2.imencode(".png", np.random.default_rng(0).integers(0, 65536, (40, 40, 3)).astype(np.uint16))[1].tobytes()
    return data[: len(data) // 2]


BROKEN = {
    "empty": (b"", "empty"),
    "text": (b"not a picture", "not a picture"),
    "truncated JPEG": (_jpeg()[:400], "damaged or incomplete"),
    "animated GIF": (_gif(), "3 frames"),
    "truncated 16-bit PNG": (_truncated_png16(), "damaged or incomplete"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_one_clear_line(name: str, tmp_path: Path) -> None:
    data, message = BROKEN[name]
    with pytest.raises(ImageError, match=message) as caught:
        read_picture(stored(tmp_path, data))
    assert "\n" not in str(caught.value)


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(scene(40, 40)).save(path)
    with pytest.raises(ImageError, match="--max-pixels"):
        read_picture(path, max_pixels=1599)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow's own limit does not stop what ours allows
    assert read_picture(path, max_pixels=1600).pixels.shape == (40, 40, 3)


@pytest.fixture(autouse=True)
def _heic_is_an_extra(request: pytest.FixtureRequest) -> None:
    if "HEIF" in request.node.name:
        pytest.importorskip("pillow_heif")


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


@pytest.mark.parametrize("kind", FORMATS)
def test_transparency_is_kept_or_refused(kind: str, tmp_path: Path) -> None:
    alpha = np.full((24, 24), 9, np.uint8)
    picture = Picture(scene(24, 24), alpha, "PNG")
    if FORMATS[kind].alpha:
        back = read_picture(stored(tmp_path, encode_picture(picture, kind)[0]))
        assert back.alpha is not None
        assert np.abs(back.alpha.astype(int) - 9).max() <= (0 if FORMATS[kind].exact != "never" else 3)
    else:
        with pytest.raises(ImageError, match="transparency"):
            encode_picture(picture, kind)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("tagged_", [False, True])
def test_a_png_of_16_bits_is_exact_and_read_by_others(channels: int, tagged_: bool, tmp_path: Path) -> None:
    pixels = np.random.default_rng(channels).integers(0, 65536, (13, 17, channels)).astype(np.uint16)
    colour = pixels[..., 0] if channels < 3 else pixels[..., :3]
    alpha = pixels[..., -1] if channels in (2, 4) else None
    tags = read_picture(tagged(tmp_path)).tags if tagged_ else Tags()
    data, notes = encode_picture(Picture(colour, alpha, "PNG", tags), "PNG")
    assert notes == ()
    back = read_picture(stored(tmp_path, data, "deep.png"))
    assert np.array_equal(back.pixels, colour)
    assert np.array_equal(back.alpha, alpha) if alpha is not None else back.alpha is None
    assert back.tags == tags
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    colours = [2, 1, 0] if channels > 2 else [0] * 3  # in the order in which OpenCV has them
    assert np.array_equal(
        theirs[..., :3] if channels > 1 else theirs, np.atleast_3d(colour)[..., colours] if channels > 1 else colour
    )


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("grey", [False, True])
def test_exact_formats_are_exact_and_the_others_are_close(kind: str, grey: bool, tmp_path: Path) -> None:
    pixels = scene(32, 32)[..., 0] if grey else scene(32, 32)
    exact = FORMATS[kind].exact
    coding = Coding(lossless=exact == "on demand") if exact != "never" else Coding(quality=100)
    back = read_picture(stored(tmp_path, encode_picture(Picture(pixels, None, "PNG"), kind, coding)[0]))
    colour = np.repeat(pixels[..., None], 3, 2) if back.pixels.ndim > pixels.ndim else pixels  # WebP and AVIF know no grey
    difference = np.abs(back.pixels.astype(int) - colour)
    assert difference.max() == 0 if exact != "never" else difference.mean() < 2
    if exact == "never":
        with pytest.raises(ImageError, match="without loss"):
            encode_picture(Picture(pixels, None, "PNG"), kind, Coding(lossless=True))


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [60, 93])
def test_the_coding_of_a_jpeg_is_kept(sampling: str, quality: int, tmp_path: Path) -> None:
    path = tmp_path / "in.jpg"
    Image.fromarray(scene(48, 48)).save(path, quality=quality, subsampling=sampling, progressive=True)
    kept = stored(tmp_path, encode_picture(read_picture(path), "JPEG")[0], "kept.jpg")
    told = stored(tmp_path, encode_picture(read_picture(path), "JPEG", Coding(quality=10))[0], "told.jpg")
    with Image.open(path) as one, Image.open(kept) as two, Image.open(told) as three:
        assert one.quantization == two.quantization != three.quantization
        assert JpegImagePlugin.get_sampling(one) == JpegImagePlugin.get_sampling(two) == JpegImagePlugin.get_sampling(three)
        assert two.info.get("progressive")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_holds_what_pillow_reads_in_it(mode: str, sampling: int, progressive: bool, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    path = tmp_path / "in.jpg"
    picture = Image.fromarray(scene(45, 51)).convert(mode)
    picture.save(path, quality=71, subsampling=sampling, progressive=progressive, exif=exif)
    with Image.open(path) as image:
        assert np.array_equal(read_picture(path).pixels, np.asarray(ImageOps.exif_transpose(image)))
    whole = path.read_bytes()
    for length in range(len(whole) // 2, len(whole) - 2, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ImageError, match="damaged or incomplete"):
            read_picture(path)


@pytest.mark.parametrize("shape", [(600, 7), (600, 7, 3), (1, 1, 3)])
def test_spent_pixels_become_the_same_bytes_and_their_memory_is_given_back(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for kind in ("PNG", "JPEG"):
        spent = pixels.copy()
        assert (
            encode_picture(Picture(spent, None, kind), kind, spend=True)[0]
            == encode_picture(Picture(pixels, None, kind), kind)[0]
        )
        assert spent.size == 0
    view = pixels[1:] if len(pixels) > 1 else pixels[:]
    encode_picture(Picture(view, None, "PNG"), "PNG", spend=True)
    assert pixels.size


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


def test_cmyk_goes_through_its_profile(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(scene(16, 16)).convert("CMYK").save(path)
    picture = read_picture(path)
    assert picture.pixels.shape == (16, 16, 3)
    assert "rule of thumb" in picture.notes[0]


def cmyk_profile() -> bytes:
    """Return a profile by which every mixture of inks is a grey, darker the more there are (ICC.1, lut8Type)."""
    corners = np.indices((2, 2, 2, 2)).reshape(4, 16).sum(0)  # how many inks each corner of the table has
    table = np.stack([255 - 60 * corners, np.full(16, 128), np.full(16, 128)], 1).astype(np.uint8)  # L, a, b
    straight = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (index % 4 == 0) for index in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + 4 * straight + table.tobytes() + 3 * straight
    lut += bytes(-len(lut) % 4)
    head = b"lcms" + struct.pack(">I", 0x02400000) + b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D) + bytes(48)
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(lut))
    return struct.pack(">I", 4 + len(head) + len(tags) + len(lut)) + head + tags + lut


def test_cmyk_with_a_profile_is_what_the_profile_says(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(scene(16, 16)).convert("CMYK").save(path, icc_profile=cmyk_profile(), quality=55)
    picture = read_picture(path)
    assert picture.notes == ("CMYK was converted to sRGB through its profile",)
    assert np.ptp(picture.pixels.astype(int), axis=2).max() <= 2
    assert picture.pixels.std() > 5
    assert picture.tags.icc is None  # which was that of the inks
    with Image.open(path) as before, Image.open(io.BytesIO(encode_picture(picture, "JPEG")[0])) as after:
        assert after.quantization[0] == before.quantization[0]


def test_the_pictures_inside_a_phones_jpeg_do_not_count_as_frames(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    Image.fromarray(scene(16, 16)).save(path, "MPO", save_all=True, append_images=[Image.fromarray(scene(8, 8))])
    picture = read_picture(path)
    assert (picture.format, picture.pixels.shape) == ("JPEG", (16, 16, 3))
    assert "main one" in picture.notes[0]


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><place exif:GPSLatitude="1"/></x:xmpmeta>'


def tagged(tmp_path: Path, kind: str = "JPEG") -> Path:
    """Return a file with a colour profile, EXIF with a place in it, and XMP."""
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif[EXIF_IFD] = {36867: "2020:01:02 03:04:05"}
    exif[GPS_IFD] = {1: "N", 2: (1.0, 2.0, 3.0)}
    tags = Tags(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), exif.tobytes(), XMP)
    return stored(tmp_path, encode_picture(Picture(scene(16, 16), None, kind, tags), kind)[0], "tagged")


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "BMP"])
@pytest.mark.parametrize("deep", [False, True])
def test_profile_exif_and_xmp_come_along(kind: str, deep: bool, tmp_path: Path) -> None:
    picture = read_picture(tagged(tmp_path, kind))
    if deep and "uint16" not in FORMATS[kind].dtypes:
        pytest.skip("holds 8 bits only")
    if deep:
        picture = picture.with_pixels(as_depth(picture.pixels, np.dtype(np.uint16)))
    data, notes = encode_picture(picture, kind)
    back = read_picture(stored(tmp_path, data, "again")).tags
    assert back.icc == picture.tags.icc is not None
    assert back.xmp == XMP
    assert notes == ()
    exif = Image.Exif()
    exif.load(back.exif)
    assert exif[0x010F] == "maker"
    assert exif.get_ifd(EXIF_IFD)[36867] == "2020:01:02 03:04:05"
    assert dict(exif.get_ifd(GPS_IFD)) == {1: "N", 2: (1.0, 2.0, 3.0)}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("dtype", FORMATS["TIFF"].dtypes)
@pytest.mark.parametrize("grey", [False, True])
def test_the_size_in_print_comes_along(kind: str, dtype: str, grey: bool, tmp_path: Path) -> None:
    if dtype not in FORMATS[kind].dtypes:
        pytest.skip("holds no such pixels")
    path = tmp_path / "in.png"
    Image.fromarray(scene(16, 24)).convert("L" if grey else "RGB").save(path, dpi=(300, 150))
    picture = read_picture(path)
    picture = picture.with_pixels(as_depth(picture.pixels, np.dtype(dtype)))
    back = read_picture(stored(tmp_path, encode_picture(picture, kind, Coding(metadata="strip"))[0], "out")).tags
    assert back.dpi == pytest.approx((300, 150), rel=0.01)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_deep_tiff_is_turned_upright(dtype: type, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(0).integers(0, 255, (12, 20, 3)).astype(dtype)
    turned = (274, 3, 1, 6, True)  # orientation: a quarter to the right
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", metadata=None, extratags=[turned])
    assert np.array_equal(read_picture(tmp_path / "a.tif").pixels, np.rot90(pixels, -1))


@pytest.mark.parametrize(("factors", "told"), [(0x411111, True), (0x221111, False), (0x121111, True), (0x111111, False)])
def test_a_subsampling_that_cannot_be_kept_is_told(factors: int, told: bool, tmp_path: Path) -> None:
    _, data = cv2.imencode(".jpg", scene(32, 48), [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factors])
    notes = read_picture(stored(tmp_path, data.tobytes())).notes
    assert ("subsampling" in " ".join(notes)) == told


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


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_grey_that_stands_for_nothing_is_found_at_every_depth(bits: int, tmp_path: Path) -> None:
    values = np.arange(64, dtype=np.uint8).reshape(8, 8) % 2**bits
    rows = b"".join(b"\0" + np.packbits(np.unpackbits(row[:, None], axis=1)[:, 8 - bits :].ravel()).tobytes() for row in values)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", 8, 8, bits, 0, 0, 0, 0),
        b"tRNS": b"\0\1",
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts.items()
    ]
    picture = read_picture(stored(tmp_path, b"\x89PNG\r\n\x1a\n" + b"".join(chunks)))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, values == 1)


def test_long_texts_are_no_damage(tmp_path: Path) -> None:
    xmp = b"<x:xmpmeta>" + b"edit " * 500_000 + b"</x:xmpmeta>"
    data, _ = encode_picture(Picture(scene(8, 8), None, "PNG", Tags(xmp=xmp)), "PNG")
    assert read_picture(stored(tmp_path, data)).tags.xmp == xmp


def test_who_may_read_a_file_stays_when_it_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"1", overwrite=False)
    path.chmod(0o600)
    write_atomically(path, b"2", overwrite=True)
    assert path.stat().st_mode & 0o777 == 0o600


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
    with pytest.raises(ImageError, match="--max-pixels"):
        read_picture(path, max_pixels=100)
    pages = np.zeros((2, 20, 30, 3), np.float32)
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="rgb", metadata=None)
    with pytest.raises(ImageError, match="several pages"):
        read_picture(tmp_path / "pages.tif")


def test_whatever_a_decoder_raises_is_one_picture_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Missing or empty image item")

    monkeypatch.setattr(Image, "open", broken)
    with pytest.raises(ImageError, match="damaged or incomplete"):
        read_picture(stored(tmp_path, b"something"))


def test_a_lossless_webp_stays_one_whatever_stands_before_its_pixels(tmp_path: Path) -> None:
    picture = read_picture(tagged(tmp_path, "PNG"))
    data, _ = encode_picture(picture, "WEBP", Coding(lossless=True))
    back = read_picture(stored(tmp_path, data, "a.webp"))
    assert np.array_equal(read_picture(stored(tmp_path, encode_picture(back, "WEBP")[0], "b.webp")).pixels, picture.pixels)
    lossy = read_picture(stored(tmp_path, encode_picture(picture, "WEBP", Coding(quality=80))[0], "c.webp"))
    assert lossy.coding == {"lossless": False}


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    picture = read_picture(tagged(tmp_path, "PNG"))
    assert "cannot hold a colour profile" in encode_picture(picture, "BMP")[1][0]
    assert "--quality is left out" in encode_picture(picture, "PNG", Coding(quality=50))[1][0]
    long = replace(picture, tags=Tags(xmp=b"x" * 70_000))
    assert "too long for a JPEG" in encode_picture(long, "JPEG")[1][0]


@pytest.mark.parametrize("policy", ["strip", "no-gps"])
def test_metadata_can_be_left_out_but_not_the_profile(policy: str, tmp_path: Path) -> None:
    data, notes = encode_picture(read_picture(tagged(tmp_path)), "JPEG", Coding(metadata=policy))
    back = read_picture(stored(tmp_path, data, "again")).tags
    assert back.icc is not None
    assert back.xmp is None
    assert b"GPS" not in data
    if policy == "strip":
        assert (back.exif, notes) == (None, ())
    else:
        exif = Image.Exif()
        exif.load(back.exif)
        assert exif[0x010F] == "maker"
        assert not exif.get_ifd(GPS_IFD)
        assert "XMP" in notes[0]


def test_heic_says_what_it_needs_when_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match="pip install pillow-heif"):
        read_picture(stored(tmp_path, b"\0\0\0\x18ftypheic" + b"\0" * 40))


def test_files_are_replaced_only_when_asked_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "file.bin"
    write_atomically(path, b"first", overwrite=False)
    with pytest.raises(ImageError, match="--overwrite"):
        write_atomically(path, b"second", overwrite=False)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="make room"):
        write_atomically(path, b"third", overwrite=True)
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_pictures_are_found_by_name_below_a_folder(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.JPG", "a/notes.txt", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(tmp_path)] == ["c.JPG", "b.png"]


def test_a_grey_that_stands_for_nothing_is_transparent_at_16_bits_too(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
    data = encode_picture(Picture(pixels, None, "PNG"), "PNG")[0]
    chunk = b"tRNS" + struct.pack(">H", 5000)
    place = data.index(b"IDAT") - 4
    chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    picture = read_picture(stored(tmp_path, data[:place] + chunk + data[place:]))
    assert np.array_equal(picture.pixels, pixels)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, pixels == 5000)
    assert set(np.unique(picture.alpha)) == {0, 65535}


def test_the_turn_that_xmp_tells_is_undone_with_the_pixels(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"><tiff:Orientation>8</tiff:Orientation></d></x:xmpmeta>'
    Image.fromarray(scene(10, 12)).save(tmp_path / "a.jpg", xmp=xmp)
    kept = read_picture(tmp_path / "a.jpg").tags.xmp
    assert kept is not None
    assert kept.count(b"1") == 2
    assert b"6" not in kept
    assert b"8" not in kept


@pytest.mark.parametrize(("kind", "side"), [("WEBP", 16384), ("JPEG", 65501)])
def test_a_side_that_a_format_cannot_hold_is_told_before_any_work(kind: str, side: int) -> None:
    with pytest.raises(ImageError, match=f"up to {side - 1} pixels"):
        check_encoding(Picture(np.zeros((1, side, 3), np.uint8), None, "PNG"), kind, Coding())
    assert encode_picture(Picture(np.zeros((1, side - 1, 3), np.uint8), None, "PNG"), kind)[0]


def test_exif_too_long_for_a_jpeg_is_left_out_and_values_beyond_white_are_told() -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    assert "its EXIF is too long" in encode_picture(Picture(scene(8, 8), None, "PNG", Tags(exif=exif.tobytes())), "JPEG")[1][0]
    bright = Picture(scene(8, 8).astype(np.float32) / 100, None, "TIFF")
    assert "values beyond 0 to 1 were clipped" in encode_picture(bright, "PNG")[1]


def test_ten_bits_of_an_avif_are_cut_and_that_is_told(tmp_path: Path) -> None:
    done, data = cv2.imencode(".avif", scene(32, 32).astype(np.uint16) * 4, [cv2.IMWRITE_AVIF_DEPTH, 10])
    if not done:
        pytest.skip("this OpenCV writes no AVIF")
    assert "more than 8 bits" in read_picture(stored(tmp_path, data.tobytes())).notes[0]
    eight = read_picture(stored(tmp_path, encode_picture(Picture(scene(32, 32), None, "AVIF"), "AVIF")[0], "eight.avif"))
    assert eight.notes == ()
