"""Small files that ask for much: refused for what they would cost, in one line, before they cost it."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from encoded import archive_of, png_of
from PIL import Image
from results import memory_grows_below
from safetensors import safe_open

from irflow_cli.batch.journal import Manifest
from irflow_cli.bench.records import read_environment, read_records
from irflow_cli.bench.report import _view
from irflow_cli.engines.backends.store import engines_folder
from irflow_cli.engines.backends.store import read as read_engine
from irflow_cli.errors import CheckpointError, ImageError, UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.regular import digest_regular, read_regular
from irflow_cli.runtime.checkpoints import MAX_HEADER, load_checkpoint, read_card
from irflow_cli.runtime.convert import read_third_party
from irflow_cli.runtime.download import origin_of
from irflow_cli.training.curves import draw_curves


def _own(key: str) -> Any:
    content: dict[str, Any] = {}
    content[key] = content
    return content


def _circle() -> Any:
    one: dict[str, Any] = {}
    one["model"] = {"state_dict": one}
    return one


def _saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("content", [_own("model"), _own("ema"), _circle(), {"a" * 10**6: torch.zeros(1)}, {1: torch.zeros(1)}])
def test_a_container_that_holds_itself_ends(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "theirs.pth"
    path.write_bytes(_saved(content))
    with pytest.raises(CheckpointError, match="holds") as caught:
        read_third_party(path)
    assert len(str(caught.value)) < 500


def test_a_name_of_wrappers_alone_ends(tmp_path: Path) -> None:
    path = tmp_path / "theirs.pth"
    path.write_bytes(_saved({"module." * 200_000 + "x": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match="holds no weights by name"):
        read_third_party(path)


def _tuples(levels: int, width: int) -> bytes:
    """Return a pickle of a dictionary whose key is a tuple of `width` times a tuple of ..., which is hashed `width` ** `levels`
    times."""
    text = b"\x80\x02}K\x01\x85q\x00"
    for level in range(levels):
        text += b"0(" + b"h" + bytes([level]) + (b"h" + bytes([level])) * (width - 1) + b"tq" + bytes([level + 1])
    return text.replace(b"0(", b"(") + b"K\x01s."


@pytest.mark.parametrize(("levels", "width"), [(60, 2), (8, 100), (200, 9)])
@pytest.mark.parametrize("old", [False, True])
def test_a_key_that_takes_years_to_hash_is_not_read(old: bool, levels: int, width: int, tmp_path: Path) -> None:
    path, content = tmp_path / "theirs.pth", _tuples(levels, width)
    path.write_bytes(content) if old else archive_of(path, content)
    with pytest.raises(CheckpointError, match="too often"):
        read_third_party(path)


@pytest.mark.parametrize(("number", "length"), [(2**14, 300), (100, 60_000)])
def test_a_table_of_contents_costs_no_more_than_a_networks(number: int, length: int, tmp_path: Path) -> None:
    path = tmp_path / "theirs.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02N.")
        for index in range(number):
            archive.writestr(f"a/data/{index:0{length}}", b"")
    with pytest.raises(CheckpointError, match="table of contents has more than"):
        read_third_party(path)


@pytest.mark.parametrize("begins", [b"PK\x03\x04", b"\x80\x02"])
def test_weights_in_a_hole_of_the_disk_are_not_read(begins: bytes, tmp_path: Path) -> None:
    path = tmp_path / "theirs.pth"
    path.write_bytes(begins)
    os.truncate(path, 2**33)
    with pytest.raises(CheckpointError, match="has more than 4096 MiB"):
        read_third_party(path)


@pytest.mark.parametrize("elements", [2**8, 2**21, 2**26])
def test_tensors_that_are_not_the_networks_are_not_read(
    elements: int, tiny_checkpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header of the right names and a hole for their numbers: the network needs others, and no hole is so large."""
    good = Path(tiny_checkpoint("derain"))
    with safe_open(good, framework="pt") as file:
        names, note = list(file.keys()), file.metadata()
    header: dict[str, Any] = {"__metadata__": note}
    for index, name in enumerate(names):
        size = 4 * elements
        header[name] = {"dtype": "F32", "shape": [elements], "data_offsets": [index * size, (index + 1) * size]}
    path = _header(tmp_path, json.dumps(header).encode())
    os.truncate(path, path.stat().st_size + 4 * elements * len(names))
    with memory_grows_below(64), pytest.raises(CheckpointError, match=r"does not fit the network|more than any checkpoint"):
        load_checkpoint(path)


def _header(tmp_path: Path, header: bytes, length: int | None = None) -> Path:
    path = tmp_path / "theirs.safetensors"
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header)
    return path


ENTRY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


@pytest.mark.parametrize(
    ("header", "length", "match"),
    [
        (b"{}", 3, "claims 3 bytes"),
        (b"{}", 2**63, "claims"),
        (b"{" + b" " * MAX_HEADER + b"}", None, "claims"),
        (json.dumps({str(number): ENTRY for number in range(2**14 + 1)}).encode(), None, "more tensors"),
        (json.dumps({"a": {**ENTRY, "shape": [0] * 10**5}}).encode(), None, "more axes"),
        (b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}", None, "no JSON"),
        (b'{"a":' + b"9" * 10**5 + b"}", None, "no JSON"),
        (b"[" * 3, None, "no JSON"),
        (b"[1]", None, "no safetensors"),
    ],
)
def test_a_header_of_weights_costs_no_more_than_a_networks(
    header: bytes, length: int | None, match: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=match):
        read_card(_header(tmp_path, header, length))


def _tiff(pages: int) -> bytes:
    """Return a TIFF of 1 x 1 pixel, whose directory is there `pages` times."""
    entries = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1)]
    entries += [(278, 3, 1, 1), (279, 4, 1, 1)]
    packed, size = b"".join(struct.pack("<HHII", *entry) for entry in entries), 2 + 12 * len(entries) + 4
    links = [10 + size * (page + 1) if page + 1 < pages else 0 for page in range(pages)]
    head = b"II*\0" + struct.pack("<I", 10) + b"\x80\0"
    return head + b"".join(struct.pack("<H", len(entries)) + packed + struct.pack("<I", link) for link in links)


def test_pages_are_not_counted_by_walking_through_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import GifImagePlugin, TiffImagePlugin

    path, seeks = tmp_path / "pages.tif", []
    path.write_bytes(_tiff(1))
    assert read_picture(path).pixels.tolist() == [[128]]
    gif = io.BytesIO()
    first, *others = (Image.effect_noise((64, 64), 99) for _ in range(30))
    first.save(gif, "GIF", save_all=True, append_images=others)
    for plugin in (TiffImagePlugin.TiffImageFile, GifImagePlugin.GifImageFile):
        real = plugin.seek
        monkeypatch.setattr(plugin, "seek", lambda self, frame, real=real: (seeks.append(frame), real(self, frame))[1])
    for data in (_tiff(20_000), gif.getvalue()):
        path.write_bytes(data)
        with pytest.raises(ImageError, match="several frames"):
            read_picture(path)
    assert len(seeks) < 9


def _png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a flat PNG of one bit a pixel, with chunks before its pixels."""
    row = bytes((width + 7) // 8)
    return png_of(width, height, 1, (row for _ in range(height)), *chunks)


def test_a_flat_picture_of_144_megapixels_is_refused_and_said_how_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "flat.png"
    path.write_bytes(_png(12_000, 12_000))
    assert path.stat().st_size < 500_000
    with pytest.raises(ImageError, match=r"larger than 134217728 pixels, which take about 1.0 GiB.*`max_pixels`"):
        read_picture(path)


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_packed_texts_of_a_picture_are_not_unpacked_without_bound(kind: bytes, tmp_path: Path) -> None:
    packed = zlib.compress(bytes(2**26), 9)
    data = {b"iCCP": b"p\0\0", b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0"}[kind] + packed
    path = tmp_path / "text.png"
    path.write_bytes(_png(8, 8, (kind, data)))
    try:
        tags = read_picture(path).tags
    except ImageError as error:
        assert "text.png" in str(error)
    else:
        assert not tags.icc and not tags.xmp


READERS: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "picture": (read_picture, ImageError, "a.png"),
    "checkpoint": (read_card, CheckpointError, "a.safetensors"),
    "weights": (read_third_party, CheckpointError, "a.pth"),
    "digest": (digest_regular, OSError, "a"),
    "record": (lambda path: Manifest.of(path.parent), ImageError, ".irflow.jsonl"),
    "records": (read_records, UsageError, "a.jsonl"),
    "bytes": (lambda path: read_regular(path, 9), OSError, "a"),
    "log of a run": (lambda path: draw_curves(path.parent), UsageError, "log.jsonl"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "/dev/zero", "socket"])
@pytest.mark.skipif(os.name != "posix", reason="pipes have names on POSIX systems")
def test_what_is_no_file_is_neither_waited_for_nor_read(
    kind: str, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, error, name = READERS[reader]
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(name)
    elif kind == "/dev/zero":
        Path(name).symlink_to(kind)
    else:
        os.mkfifo("real" if kind.startswith("link") else name)
        if kind.startswith("link"):
            Path(name).symlink_to("real")
    with pytest.raises(error, match=r"not a file|a link"):
        read(tmp_path / name)
    assert read_environment(tmp_path / name) == {}


@pytest.mark.skipif(os.name != "posix", reason="pipes have names on POSIX systems")
def test_a_pipe_in_a_cache_or_report_is_as_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path))
    for name in ("a.webp", "engines/a", "a.safetensors.origin.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.mkfifo(tmp_path / name)
    assert _view(tmp_path / "a.webp", "a", "") is None
    assert engines_folder() == tmp_path / "engines"
    assert read_engine("a") is None
    assert origin_of(tmp_path / "a.safetensors") is None


def test_a_record_or_result_in_a_hole_of_the_disk_takes_no_memory(tmp_path: Path) -> None:
    manifest, target = Manifest(tmp_path), tmp_path / "a.png"
    manifest.record(target, "key", b"data", beside=True)
    with target.open("wb") as file:
        file.truncate(2**29)
    with memory_grows_below(64):
        assert not manifest.proves(target, "key")
        assert not manifest.knows(target)
        for name, reader in ((".irflow.jsonl", "record"), ("a.jsonl", "records")):
            (tmp_path / name).touch()
            os.truncate(tmp_path / name, 2**35)
            read, error, _ = READERS[reader]
            with pytest.raises(error, match="larger than 256 MiB"):
                read(tmp_path / name)


def test_a_record_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("kept\n")
    (tmp_path / ".irflow.jsonl").symlink_to("theirs")
    with pytest.raises(ImageError, match="a link"):
        Manifest.of(tmp_path)
    with pytest.raises(ImageError):
        Manifest(tmp_path).record(tmp_path / "a.png", "key", b"data", beside=True)
    assert (tmp_path / "theirs").read_text() == "kept\n"


@pytest.mark.parametrize("line", ["[" * 10**5, '{"a":' * 10**5, '{"picture": ' + "9" * 5000 + "}"])
def test_a_line_that_is_nested_or_long_without_end_is_passed_over_or_named(line: str, tmp_path: Path) -> None:
    (tmp_path / ".irflow.jsonl").write_text(line + "\n")
    assert Manifest.of(tmp_path).entries == {}
    (tmp_path / "results.jsonl").write_text(line + "\n{}\n")
    with pytest.raises(UsageError, match="line 1"):
        read_records(tmp_path / "results.jsonl")
    assert read_environment(tmp_path / "results.jsonl") == {}
