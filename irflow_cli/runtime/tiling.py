"""Pictures of any size in bounded memory: overlapping tiles, blended with weights that sum to one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from irflow_cli.errors import DeviceError

Work = Callable[[Tensor], Tensor]  # (1, C, h, w) -> (1, C, h, w)
Read = Callable[[int, int, int, int], Tensor]  # top, bottom, left, right -> that part of the picture (1, C, h, w)
SMALLEST = 64  # a tile is not halved below this when memory runs out


def spans(length: int, tile: int, overlap: int, align: int = 1) -> list[tuple[int, int]]:
    """Return (start, stop) of nearly equal tiles, at most `tile` long, that cover `length`.

    Neighbours share `overlap` pixels. Starts are multiples of `align`: a network that halves its picture sees the same
    grid in every tile. Raises ValueError unless 0 <= overlap and overlap + align <= tile.
    """
    if overlap < 0 or overlap + align > tile:
        raise ValueError(f"an overlap of {overlap} does not fit tiles of {tile}")
    if length <= tile:
        return [(0, length)]
    inner = length - overlap  # what the tiles' own parts, without the shared ends, add up to
    count = math.ceil(inner / (tile - overlap - align + 1))
    starts = [index * inner // count // align * align for index in range(count)] + [inner]
    return [(start, stop + overlap) for start, stop in itertools.pairwise(starts)]


def weights(parts: list[tuple[int, int]], overlap: int) -> list[Tensor]:
    """Return the weights of tiles along one axis: ramps over the shared ends, and at every pixel a sum of one."""
    hats = []
    for start, stop in parts:
        ramp = torch.arange(1, stop - start + 1) / (overlap + 1)
        hats.append(torch.minimum(ramp, ramp.flip(0)).clamp(max=1))
    total = torch.zeros(parts[-1][1])
    for (start, stop), hat in zip(parts, hats, strict=True):
        total[start:stop] += hat
    return [hat / total[start:stop] for (start, stop), hat in zip(parts, hats, strict=True)]


def tiled(
    work: Work, read: Read, height: int, width: int, tile: int, overlap: int, align: int = 1
) -> Iterator[tuple[int, Tensor]]:
    """Yield (first row, (1, C, rows, width)) bands, top to bottom, of `work` done tile by tile and blended.

    A band is yielded as soon as no later tile touches it, and later tiles never read its rows, so that it can be written
    over the input. Memory: a row of tiles. Where memory runs out a tile is worked on in quarters.
    """
    rows, columns = spans(height, tile, overlap, align), spans(width, tile, overlap, align)
    across = weights(columns, overlap)
    carried: Tensor | None = None
    for index, ((top, bottom), down) in enumerate(zip(rows, weights(rows, overlap), strict=True)):
        band: Tensor | None = None
        for (left, right), weight in zip(columns, across, strict=True):
            done = _work_safely(work, read(top, bottom, left, right), overlap, align)
            band = done.new_zeros((*done.shape[:2], bottom - top, width)) if band is None else band
            band[..., left:right] += done * weight.to(done)
        assert band is not None
        band *= down.to(band)[:, None]
        if carried is not None:
            band[..., : carried.shape[2], :] += carried
        finished = (rows[index + 1][0] if index + 1 < len(rows) else height) - top
        carried = band[..., finished:, :].clone()
        yield top, band[..., :finished, :]


def windowed(work: Work, x: Tensor, needed: Tensor, tile: int, overlap: int, align: int = 1) -> Tensor:
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


def _work_safely(work: Work, part: Tensor, overlap: int, align: int) -> Tensor:
    """Return work(part), in four smaller tiles when memory runs out. Raises DeviceError when that does not help."""
    try:
        return work(part)
    except RuntimeError as error:
        if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)):
            raise
    height, width = part.shape[-2:]
    half = max(height, width) // 2 + overlap + align
    if half < SMALLEST or half >= max(height, width):
        raise DeviceError(f"out of memory on a tile of {width} x {height}; free some, or use --device cpu")

    def read(top: int, bottom: int, left: int, right: int) -> Tensor:
        return part[..., top:bottom, left:right]

    return torch.cat([band for _, band in tiled(work, read, height, width, half, overlap, align)], dim=2)
