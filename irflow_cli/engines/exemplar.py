"""Exemplar fill: a wide hole filled from the rest of the picture, coarse to fine, and where the pieces meet."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.engines.patches import SIDE, Places, described, directions, nearest, voted
from irflow_cli.engines.pieces import Likeness, Pieces

WORK = 40_000  # pixels of a hole at the scale where it is filled: a wider one is filled smaller, and the ways carried up
NARROW = 6.0  # pixels of depth of the hole at the smallest scale
LEAST = 24  # pixels of the shorter side at the smallest scale
ROUNDS = (12, 6, 4)  # of looking and voting at the smallest scale, the next, and all others
STILL = 0.001  # of [0, 1]: a round that changes less is the last
TEXTURE = 7.0  # how much a difference of texture counts beside one of colour
WHOLE = 0.999  # share from which on a pixel of a smaller scale is wholly known
NEAR = 1.3  # by which patches a pixel deeper in the hole count less

Guess = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Filled:
    """What an exemplar fill found: pixels (H, W, 3), float32 in about [0, 1], and seams (H, W), bool, the part of the hole
    where pieces from different places meet, each other or what is known."""

    pixels: np.ndarray
    seams: np.ndarray


@dataclass(frozen=True)
class _Scale:
    """A picture at one size. features: (H, W, 5) float32, colour and texture. seen: (H, W) float32, the known share of each."""

    features: np.ndarray
    seen: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Which pixels are wholly known, (H, W), bool: those that may be copied."""
        return self.seen >= WHOLE


def enough_around(missing: np.ndarray) -> bool:
    """Return whether a picture with missing pixels (H, W), bool, holds enough to fill them from."""
    if min(missing.shape) < LEAST:
        return False
    whole = cv2.erode((~missing).astype(np.uint8), np.ones((SIDE, SIDE), np.uint8), borderValue=0)
    return int(whole.sum()) >= max(1000, int(missing.sum()) // 4)


def exemplar_fill(picture: np.ndarray, missing: np.ndarray, guess: Guess, seed: int = 0, spared: float = 0.0) -> Filled | None:
    """Return a picture (H, W, 3), float32 in [0, 1], with what is missing (H, W), bool, copied from its other parts; None
    where none of them is whole at the scale where that is done, as between many specks.

    Coarse to fine: patches over the hole find those of the picture that look most like them, by colour and texture, and vote
    for its pixels (Wexler et al. 2007; the texture as in Newson et al. 2014); at last every pixel is copied from one place, in
    large pieces (`Pieces.fewer`). guess: what the hole holds at the smallest scale, from a picture and what is known of it.
    spared: share of the picture, drawn from the seed, that is not copied from, so that seeds differ. Needs `enough_around`.
    """
    generator = torch.Generator().manual_seed(seed)
    larger, scales = _scales(picture, missing)
    filled, found, spare = None, None, np.zeros((0, 0), bool)
    for level, scale in enumerate(scales):
        hole = ~scale.known if level == len(scales) - 1 else scale.seen == 0
        spare = _spare(scale.known, spared, generator) if level == 0 else _enlarged(spare, scale.known.shape)
        places = Places.around(hole, scale.known & ~spare)
        if not places.allowed.any():
            places = Places.around(hole, scale.known)
        if not places.allowed.any():  # specks leave nothing whole at this size; at a larger one they may
            filled = found = None
            continue
        start = _carried(found, places, generator)
        if filled is None:
            filled = _guessed(scale, hole, guess)
        else:
            filled = voted(scale.features, hole, places, start, torch.ones(len(start)))
        rounds = ROUNDS[min(level, len(ROUNDS) - 1)]
        filled, found = _settled(scale.features, hole, places, filled, start, rounds, generator)
    if found is None:
        return None
    pieces = Pieces(scales[-1].features[..., :3], ~scales[-1].known, found.everywhere(), found)
    pieces.fewer()
    pieces.blend()
    for colours, seen in larger:
        smaller, pieces = pieces, pieces.enlarged(colours, seen < WHOLE)
        pieces.fewer()
        pieces.blend(smaller.change)
    return Filled(pieces.filled(), pieces.seams())


def _settled(
    features: np.ndarray,
    hole: np.ndarray,
    places: Places,
    filled: np.ndarray,
    ways: Tensor,
    rounds: int,
    generator: torch.Generator,
) -> tuple[np.ndarray, Likeness]:
    """Look and vote in turns until little changes; return the features, filled, and what was found last."""
    filters = directions(_planes(features), places.allowed, generator)
    looks = described(_planes(filled), filters)
    away = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)
    trust = torch.from_numpy(NEAR ** -away[tuple(places.centres.T.numpy())])
    wanted = looks[places.flat(places.centres)]
    for number in range(rounds):
        if number:
            wanted = described(_planes(filled), filters)[places.flat(places.centres)]
        ways, apart = nearest(wanted, looks, places, ways, generator)
        scale = apart.quantile(0.75) if len(apart) < 2**24 else apart.mean()
        weights = trust * torch.exp(-apart / (2 * scale.clamp_min(1e-6)))
        before, filled = filled, voted(features, hole, places, ways, weights)
        if np.abs(filled[hole] - before[hole])[:, :3].mean() < STILL:
            break
    return filled, Likeness(places, wanted, looks, ways)


def _scales(picture: np.ndarray, missing: np.ndarray) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[_Scale]]:
    """Return a picture at scales where its hole is too large to be looked at, colours (H, W, 3) and their known share (H, W),
    and at those where it is not; the smallest first in both."""
    larger = []
    colours, seen = np.where(missing[..., None], np.float32(0), picture), (~missing).astype(np.float32)
    while (seen < WHOLE).sum() > WORK and min(seen.shape) >= 2 * LEAST:
        larger.insert(0, (colours, seen))
        colours, seen = _halved(colours, seen)
    depth = float(cv2.distanceTransform((seen == 0).astype(np.uint8), cv2.DIST_L2, 5).max())
    count = max(0, math.ceil(math.log2(max(depth, 1) / NARROW)))
    count = max(0, min(count, int(math.log2(min(seen.shape) / LEAST))))
    scales = [_Scale(np.concatenate([colours, _texture(colours, seen, 2**count)], 2), seen)]
    for _ in range(count):
        scales.insert(0, _Scale(*_halved(scales[0].features, scales[0].seen)))
    return larger, scales


def _halved(values: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values (H, W, C) and their known share (H, W) at half the size, each the mean of what is known of four."""
    height, width = seen.shape
    size = ((width + 1) // 2, (height + 1) // 2)
    odd = (0, height % 2, 0, width % 2)

    def half(part: np.ndarray) -> np.ndarray:
        return cv2.resize(cv2.copyMakeBorder(part, *odd, cv2.BORDER_REPLICATE), size, interpolation=cv2.INTER_AREA)

    share = half(seen)
    parts = [half(np.ascontiguousarray(values[..., at]) * seen) for at in range(values.shape[2])]  # OpenCV mixes 4 at most
    return np.stack(parts, 2) / np.maximum(share, 1e-6)[..., None], share


def _texture(colours: np.ndarray, seen: np.ndarray, reach: int) -> np.ndarray:
    """Return how much known brightness changes from pixel to pixel around each, across and down, (H, W, 2) float32."""
    grey, known = colours.mean(2), seen >= WHOLE
    found = []
    for axis in (1, 0):
        change = np.abs(np.diff(grey, axis=axis, prepend=np.take(grey, [0], axis)))
        both = (known & np.roll(known, 1, axis)).astype(np.float32)
        side = (2 * reach + 1, 2 * reach + 1)
        found.append(cv2.blur(change * both, side) / np.maximum(cv2.blur(both, side), 1e-3))
    return TEXTURE * np.stack(found, 2).astype(np.float32)


def _guessed(scale: _Scale, hole: np.ndarray, guess: Guess) -> np.ndarray:
    """Return features (H, W, 5) whose hole holds the guess and, as texture, what flows in from around (Telea)."""
    filled = scale.features.copy()
    filled[..., :3][hole] = guess(filled[..., :3], ~hole)[hole]
    for at in (3, 4):
        filled[..., at] = cv2.inpaint(np.ascontiguousarray(filled[..., at]), hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return filled


def _carried(found: Likeness | None, places: Places, generator: torch.Generator) -> Tensor:
    """Return ways (N, 2) at a scale from those at half of it; where they lead nowhere allowed, and with none, by chance."""
    chance = places.anywhere(generator) - places.centres
    if found is None:
        return chance
    half = places.centres // 2
    ways = 2 * found.everywhere()[half[:, 0], half[:, 1]]
    return torch.where(places.valid(places.centres + ways)[:, None], ways, chance)


def _spare(known: np.ndarray, share: float, generator: torch.Generator) -> np.ndarray:
    """Return parts of a picture (H, W), bool, that are not copied from, a share of it in random squares."""
    height, width = known.shape
    blocks = torch.rand((-(-height // LEAST) * 2, -(-width // LEAST) * 2), generator=generator).numpy() < share
    return cv2.resize(blocks.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def _enlarged(part: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    return part.repeat(2, 0).repeat(2, 1)[: size[0], : size[1]]


def _planes(features: np.ndarray) -> Tensor:
    return torch.from_numpy(features).permute(2, 0, 1).contiguous()
