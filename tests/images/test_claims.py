"""Files that claim more than they are cost no more than they are: holes on the disk, tiles, directories, sizes told twice."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from encoded import Entry, png_of, tiff_of
from PIL import Image
from results import memory_grows_below

from irflow_cli.errors import ImageError
from irflow_cli.images import claims
from irflow_cli.images.decode import decode_picture, read_picture
from irflow_cli.images.directories import ENTRIES


def saved(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (10, 10)).save(buffer, kind, **options)
    return buffer.getvalue()


BEGINNINGS = {
    "PNG": png_of(10, 10, 8, [bytes(10)] * 10),
    "BMP": saved("BMP"),
    "TIFF": saved("TIFF"),
    "BigTIFF": saved("TIFF", big_tiff=True),
    "JPEG": saved("JPEG"),
    "WebP": saved("WEBP"),
    "GIF": saved("GIF"),
    "nothing": b"nothing",
}


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_a_hole_on_the_disk_is_not_read(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(BEGINNINGS[kind])
    with path.open("r+b") as file:
        file.truncate(2**31)
    monkeypatch.setattr(claims, "read_regular", lambda *given: pytest.fail("read"))
    with pytest.raises(ImageError, match=r"a: damaged: its 2048 MiB are more than its pixels can fill$"):
        read_picture(path)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_file_as_large_as_its_pixels_is_read(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "FREE", 2**12)
    path, noise = tmp_path / "a", np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(noise).save(path, kind)
    assert path.stat().st_size > noise.nbytes > claims.FREE
    assert (read_picture(path).pixels == noise).all()


def layout(bits: int, packed: int = 1, **other: int) -> list[Entry]:
    """Return the entries of a grey picture of 10 x 10."""
    size = 200
    values = {256: 10, 257: 10, 258: bits, 259: packed, 262: 1, 273: 1000, 277: 1, 278: 10, 279: size}
    values |= {int(tag.removeprefix("t")): value for tag, value in other.items()}
    return [(tag, 4, 1, value) for tag, value in sorted(values.items())]


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_tiles_larger_than_the_picture_are_not_unpacked(bits: int) -> None:
    side, block = 8_000, zlib.compressobj(1)
    packed = b"".join(block.compress(bytes(side * 100)) for _ in range(80)) + block.flush()
    entries = [
        one for one in layout(bits, 8, t322=side, t323=side, t324=1000, t325=len(packed)) if one[0] not in (273, 278, 279)
    ]
    with memory_grows_below(32), pytest.raises(ImageError, match="its tiles of 8000 x 8000 pixels are larger than itself"):
        decode_picture(tiff_of(entries, (1000, packed)), "a.tif")


def test_usual_tiles_are_read_however_small_the_picture(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for dtype in (np.uint8, np.uint16):
        pixels = np.arange(30, dtype=dtype).reshape(5, 6)
        tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(1024, 1024))
        assert (read_picture(tmp_path / "a.tif").pixels == pixels).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_that_no_writer_makes_are_not_walked_through(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *given, **options: pytest.fail("opened"))
    entries = [*layout(8), *((40_000 + number, 4, 1, 0) for number in range(ENTRIES))]
    with pytest.raises(ImageError, match=r"^a\.tif: damaged: a directory of \d+ entries"):
        decode_picture(tiff_of(entries, order=order), "a.tif")


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("large_first", [False, True])
def test_a_size_that_is_told_twice_is_no_way_around_the_limit(bits: int, large_first: bool) -> None:
    twice = [(tag, kind, count, 30_000 if tag in (256, 257) else value) for tag, kind, count, value in layout(bits)[:2]]
    entries = sorted([*twice, *layout(bits)] if large_first else [*layout(bits), *twice], key=lambda entry: entry[0])
    data = tiff_of(entries, (1000, bytes(200)))
    try:
        assert decode_picture(data, "a.tif", max_pixels=10_000).pixels.shape == (10, 10)
    except ImageError as error:
        assert str(error).startswith("a.tif: ")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("tag", "kind"), [(258, 3), (273, 4), (282, 5), (339, 3), (40_000, 12)])
def test_entries_of_millions_of_numbers_are_not_read(tag: int, kind: int, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *given, **options: pytest.fail("opened"))
    entries = sorted([*(one for one in layout(8) if one[0] != tag), (tag, kind, 2**21, 2000)])
    with pytest.raises(ImageError, match=r"^a\.tif: damaged: an entry of more than \d+ numbers"):
        decode_picture(tiff_of(entries, (2000, bytes(2**20)), order=order), "a.tif")
