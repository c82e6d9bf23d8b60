"""Files of a batch as they are read and written: sizes, formats, full disks, memory."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from results import below

from irflow_cli.batch import store as batch
from irflow_cli.images.decode import read_picture


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_written(degrade, tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    for name in ("a.png", "b.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(noisy).save(tmp_path / "in" / name)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        done = degrade(tmp_path / "in", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.code == 5
    assert "make room" in done.err
    assert below(tmp_path / "out") == []


def test_large_pictures_are_refused_by_their_pixels(degrade, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png", 48, 64)
    done = degrade(source, tmp_path / "out.png", "--max-pixels", 3000)
    assert (done.code, "--max-pixels" in done.err) == (1, True)
    assert degrade(source, tmp_path / "out.png", "--max-pixels", 3072).code == 0


def test_formats_and_quality(degrade, picture_file, tmp_path: Path) -> None:
    source = picture_file("in.png", 64, 64)
    sizes = []
    for quality in (30, 95):
        assert degrade(source, tmp_path / f"{quality}", "--format", "jpg", "--quality", quality).code == 0
        sizes.append((tmp_path / f"{quality}" / "in.jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    assert degrade(source, tmp_path / "webp", "--format", "webp", "--lossless", "--severity", 0).code == 0
    assert np.array_equal(read_picture(tmp_path / "webp" / "in.webp").pixels, read_picture(source).pixels)
    refused = degrade(source, tmp_path / "avif", "--format", "avif", "--lossless")
    assert (refused.code, "without loss" in refused.err) == (1, True)


def test_a_file_larger_than_any_picture_is_refused_unread(degrade, album: Path, tmp_path: Path) -> None:
    with (album / "huge.png").open("wb") as file:
        file.truncate(2**42)  # of nothing, which takes no room
    done = degrade(album, tmp_path / "out")
    assert (done.code, below(tmp_path / "out")) == (1, ["a.png", "b.jpg"])
    assert "huge.png: too large a file" in done.err


@pytest.mark.parametrize("where", ["encode_picture", "decode_picture"])
def test_memory_that_runs_out_while_a_file_is_read_or_written_is_one_failure(
    where: str, degrade, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = getattr(batch, where), []

    def once(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return real(*arguments, **options)

    monkeypatch.setattr(batch, where, once)
    done = degrade(album, tmp_path / "out")
    assert (done.code, below(tmp_path / "out")) == (1, ["b.jpg"])
    assert "a.png: not enough memory" in done.err
