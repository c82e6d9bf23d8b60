"""Pictures of any size in bounded memory: overlapping tiles, blended with weights that sum to one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from irflow_cli.errors import DeviceError
from irflow_cli.runtime.device import memory_of, out_of_memory

TileWork = Callable[[Tensor], Tensor]  # (B, C, h, w) -> (B, C, h, w)
Read = Callable[[int, int, int, int], Tensor]  # top, bottom, left, right -> that part of the pictures (B, C, h, w)
SMALLEST = 64  # a tile is not halved below this when memory runs out


def spans(length: int, tile: int, overlap: int, align: int = 1) -> list[tuple[int, int]]:
    """Return (start, stop) of tiles of one length, at most `tile`, but for the last, that cover `length`.

    Neighbours share `overlap` pixels or a little more. Starts are multiples of `align`: a network that halves its picture
    sees the same grid in every tile. Raises ValueError unless 0 <= overlap and overlap + align <= tile.
    """
    if overlap < 0 or overlap + align > tile:
        raise ValueError(f"an overlap of {overlap} does not fit tiles of {tile}")
    if length <= tile:
        return [(0, length)]
    inner = length - overlap  # what the tiles' own parts, without the shared ends, add up to
    count = math.ceil(inner / (tile - overlap - align + 1))
    starts = [index * inner // count // align * align for index in range(count)] + [inner]
    size = overlap + max(stop - start for start, stop in itertools.pairwise(starts))
    return [(start, min(start + size, length)) for start in starts[:-1]]


def weights(parts: list[tuple[int, int]], overlap: int) -> list[Tensor]:
    """Return the weights of tiles along one axis: smooth ramps over the shared ends, and at every pixel a sum of one.

    The ramps are flat at both ends, so that the border of a tile, where a network sees least around it, hardly counts.
    """
    hats = []
    for start, stop in parts:
        ramp = torch.arange(1, stop - start + 1) / (overlap + 1)
        ramp = torch.minimum(ramp, ramp.flip(0)).clamp(max=1)
        hats.append(ramp**2 * (3 - 2 * ramp))
    total = torch.zeros(parts[-1][1])
    for (start, stop), hat in zip(parts, hats, strict=True):
        total[start:stop] += hat
    return [hat / total[start:stop] for (start, stop), hat in zip(parts, hats, strict=True)]


def tiled(
    work: TileWork, read: Read, height: int, width: int, tile: int, overlap: int, align: int = 1
) -> Iterator[tuple[int, int, Tensor]]:
    """Yield (top, left, (B, C, h, w)) blocks, row by row from the left, of `work` done tile by tile and blended.

    A block is yielded as soon as no later tile touches it, and later tiles never read its pixels, so that it can be written
    over the input. Memory: a tile, and what neighbouring rows of tiles share. Where memory runs out a tile is worked on in
    quarters, and so are the tiles after it.
    """
    rows, columns = spans(height, tile, overlap, align), spans(width, tile, overlap, align)
    across, safely = weights(columns, overlap), work if isinstance(work, _Safely) else _Safely(work, overlap, align)
    above: Tensor | None = None
    for (top, bottom), down, lower in zip(rows, weights(rows, overlap), _next_starts(rows), strict=True):
        beside: Tensor | None = None
        below: Tensor | None = None
        for (left, right), weight, further in zip(columns, across, _next_starts(columns), strict=True):
            done = safely(read(top, bottom, left, right))
            done = done * (down[:, None] * weight).to(done)
            if beside is not None:
                done[..., : beside.shape[3]] += beside
            done, beside = done[..., : further - left], done[..., further - left :].clone()
            if above is not None:
                shared = above[..., left:further]
                done[..., : shared.shape[2], :] += shared
            below = done.new_empty((*done.shape[:2], bottom - lower, width)) if below is None else below
            below[..., left:further] = done[..., lower - top :, :]
            yield top, left, done[..., : lower - top, :]
        above = below


def _next_starts(parts: list[tuple[int, int]]) -> list[int]:
    """Return where the part after each begins; after the last, where it ends."""
    return [start for start, _ in parts[1:]] + [parts[-1][1]]


def windowed(work: TileWork, x: Tensor, needed: Tensor, tile: int, overlap: int, align: int = 1) -> Tensor:
    """Return work(x), (B, C, H, W), averaged over overlapping windows of `tile` pixels, smoothly, so that there are no seams.

    Windows in which `needed` (H, W), bool, holds nowhere are left out; there the result is 0.
    """
    height, width = x.shape[-2:]
    if height <= tile and width <= tile:
        return work(x)
    rows, columns = spans(height, tile, overlap, align), spans(width, tile, overlap, align)
    result = torch.zeros_like(x)
    for (top, bottom), down in zip(rows, weights(rows, overlap), strict=True):
        for (left, right), across in zip(columns, weights(columns, overlap), strict=True):
            if needed[top:bottom, left:right].any():
                done = work(x[..., top:bottom, left:right])
                result[..., top:bottom, left:right] += done * (down[:, None] * across).to(done)
    return result


class _Safely:
    """Work on tiles, in four smaller ones each from the size on at which memory ran out once."""

    def __init__(self, work: TileWork, overlap: int, align: int) -> None:
        self.work, self.overlap, self.align = work, overlap, align
        self.too_large = math.inf  # pixels

    def __call__(self, part: Tensor) -> Tensor:
        """Return work(part). Raises DeviceError when smaller tiles do not help."""
        height, width = part.shape[-2:]
        if height * width < self.too_large:
            try:
                return self.work(part)
            except Exception as error:  # engines raise their own
                if not out_of_memory(error):
                    raise
                self.too_large = height * width
        half = max(height, width) // 2 + self.overlap + self.align
        if half < SMALLEST or half >= max(height, width):
            raise DeviceError(f"out of memory on a tile of {width} x {height}; free some, or use `device` cpu")

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            return part[..., top:bottom, left:right]

        result = torch.empty_like(part)
        for top, left, block in tiled(self, read, height, width, half, self.overlap, self.align):
            result[..., top : top + block.shape[2], left : left + block.shape[3]] = block
        return result


TILES = {"cpu": 480, "cuda": 2048, "mps": 1024}  # pixels of a side; on a CPU larger ones gain nothing
SMALLEST_TILE = 128
BYTES_A_PIXEL = 800  # of a tile, that the networks need at most while they work


def auto_tile(device: torch.device) -> int:
    """Return the pixels of a tile's side that suit a device: what is fastest there, or less, so that a third of its free
    memory holds it."""
    known, most = memory_of(device), TILES[device.type]
    fits = most if known is None else int((known[0] / 3 / BYTES_A_PIXEL) ** 0.5) // 64 * 64
    return max(SMALLEST_TILE, min(most, fits))
