"""Tiles: every pixel once, no seams, blocks that may be written over their input."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from irflow_cli.engines import tiling
from irflow_cli.engines.tiling import spans, tiled, weights, windowed
from irflow_cli.errors import DeviceError

SIZES = st.integers(1, 150)
TILES = st.tuples(st.integers(9, 64), st.floats(0, 0.9), st.integers(1, 8)).map(
    lambda draw: (draw[0], int((draw[0] - draw[2]) * draw[1]), draw[2])
)  # tile, overlap, align


@settings(max_examples=200, derandomize=True, deadline=None)
@given(length=SIZES, tile=TILES)
def test_weights_sum_to_one_and_tiles_keep_their_size(length: int, tile: tuple[int, int, int]) -> None:
    parts, total = spans(length, *tile), torch.zeros(length)
    for (start, stop), weight in zip(parts, weights(parts, tile[1]), strict=True):
        assert stop - start <= tile[0]
        assert start % tile[2] == 0
        assert bool((weight > 0).all())
        total[start:stop] += weight
    assert torch.allclose(total, torch.ones(length), atol=1e-5)
    assert all(stop >= after + tile[1] for (_, stop), (after, _) in itertools.pairwise(parts))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(height=SIZES, width=SIZES, tile=TILES)
def test_tiled_identity_is_the_identity_even_in_place(height: int, width: int, tile: tuple[int, int, int]) -> None:
    picture = torch.rand((1, 2, height, width), generator=torch.Generator().manual_seed(0))
    canvas = picture.clone()

    def read(top: int, bottom: int, left: int, right: int) -> Tensor:
        return canvas[..., top:bottom, left:right].clone()

    for top, left, block in tiled(lambda part: part.clone(), read, height, width, *tile):
        place = (..., slice(top, top + block.shape[2]), slice(left, left + block.shape[3]))
        canvas[place] = block
        canvas[place] += 5  # finished blocks are never read again
    assert torch.allclose(canvas, picture + 5, atol=1e-5)


def _read(picture: Tensor):
    return lambda top, bottom, left, right: picture[..., top:bottom, left:right]


class OfAnEngine(Exception):
    """An error that is none of torch's."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("no room"),
        RuntimeError("not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("Exception from src/inference: Failed to allocate 679490816 bytes of memory"),
        OfAnEngine("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Status Message: std::bad_alloc"),
    ],
    ids=repr,
)
def test_a_tile_that_does_not_fit_memory_is_halved(error: Exception) -> None:
    picture, sizes = torch.rand(1, 1, 300, 200), []

    def work(part: Tensor) -> Tensor:
        sizes.append(max(part.shape[-2:]))
        if sizes[-1] > 128:
            raise error
        return part.clone()

    ((top, left, block),) = tiled(work, _read(picture), 300, 200, 400, 16)
    assert (top, left) == (0, 0)
    assert torch.allclose(block, picture, atol=1e-6)
    assert max(sizes) > 128 >= sizes[-1]


def test_tiles_after_one_that_did_not_fit_are_not_tried_whole() -> None:
    picture, tried = torch.rand(1, 1, 300, 1000), []

    def work(part: Tensor) -> Tensor:
        if part.shape[2] * part.shape[3] > 150 * 150:
            tried.append(part.shape)
            raise torch.OutOfMemoryError("no room")
        return part.clone()

    whole = torch.cat([block for _, _, block in tiled(work, _read(picture), 300, 1000, 300, 16)], dim=3)
    assert torch.allclose(whole, picture, atol=1e-6)
    assert len(tried) <= 2  # one tile, and its quarters


def test_memory_that_never_suffices_is_a_device_error() -> None:
    def work(part: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(DeviceError, match="out of memory"):
        list(tiled(work, _read(torch.rand(1, 1, 300, 200)), 300, 200, 400, 16))


def test_other_errors_are_not_swallowed() -> None:
    def work(part: Tensor) -> Tensor:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        list(tiled(work, _read(torch.rand(1, 1, 30, 20)), 30, 20, 40, 4))


@pytest.mark.parametrize(("tile", "overlap"), [(10, 10), (10, -1), (0, 0)])
def test_an_overlap_that_does_not_fit_is_refused(tile: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        spans(100, tile, overlap)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(height=SIZES, width=SIZES, tile=TILES)
def test_windows_of_a_pointwise_work_give_the_whole_where_it_is_needed(
    height: int, width: int, tile: tuple[int, int, int]
) -> None:
    picture = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height))
    everywhere = torch.ones(height, width, dtype=torch.bool)
    assert torch.allclose(windowed(lambda part: 2 * part, picture, everywhere, *tile), 2 * picture, atol=1e-5)
    needed = torch.zeros(height, width, dtype=torch.bool)
    needed[height // 3, width // 2] = True
    seen: list[int] = []
    result = windowed(lambda part: (seen.append(part[0, 0].numel()), 2 * part)[1], picture, needed, *tile)
    assert torch.allclose(result[..., needed], 2 * picture[..., needed], atol=1e-5)
    rows = sum(top <= height // 3 < bottom for top, bottom in spans(height, *tile))
    columns = sum(left <= width // 2 < right for left, right in spans(width, *tile))
    assert len(seen) == rows * columns  # the windows that hold the pixel, and no others


@pytest.mark.parametrize(("name", "largest"), [("cuda", 2048), ("cpu", 480)])
def test_tiles_follow_the_free_memory(name: str, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []
    for free in (1e8, 4e8, 80e9):
        monkeypatch.setattr(tiling, "memory_of", lambda device, free=free: (free, free))
        sides.append(tiling.auto_tile(torch.device(name)))
    assert sides[0] < sides[1] < sides[2] == largest
    assert all(side**2 * tiling.BYTES_A_PIXEL < free for side, free in zip(sides, (1e8, 4e8), strict=False))
    monkeypatch.setattr(tiling, "memory_of", lambda device: None)
    assert tiling.auto_tile(torch.device(name)) == largest
