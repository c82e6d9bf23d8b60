"""Holes that begin in what the prior itself finds of them at half the size, as they do when it fills them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from irflow_cli.degradations.draw import chance
from irflow_cli.flow.coarse import GUESSED_AT, guess_from, half_size, halved
from irflow_cli.training.sampling import Source

HALVINGS = 3  # the smallest size begins in nothing
Residual = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> estimate of x_t - x_1


def with_guesses(residual: Residual, source: Source, share: float, generator: torch.Generator) -> tuple[Source, list[Tensor]]:
    """Return a prior's training pictures with a `share` of those whose holes stand at time 0 begun in a guess instead, and what
    the network gets wrong in holes at each smaller size, (B, 3, h, w), the smallest first.

    The guess is what the network fills in at half the size, there begun in one from a quarter, and so on; no gradient goes from
    one size to the next. All pictures are guessed at, those without a hole with that of another, for which of them have one is
    known on the device alone.
    """
    if not share:
        return source, []
    degraded, clean, times = source
    times = times.expand(-1, 1, *clean.shape[2:])
    known = (times == 1).to(clean)
    partly = known.amax((1, 2, 3), keepdim=True) > 0
    waiting = torch.where(known > 0, 0, times).amax((1, 2, 3), keepdim=True) == 0  # at time 0 where they are not known
    chosen = partly & waiting & (chance(share, len(clean), generator).to(clean) > 0)[:, None, None, None]
    guess, errors = _guess(residual, clean, torch.where(partly, known, known.roll(-(-len(clean) // 2), 0)), clean, HALVINGS)
    x, t = _state(clean, known, guess)
    return Source(torch.where(chosen, x, degraded), clean, torch.where(chosen, t, times)), errors


def _guess(residual: Residual, picture: Tensor, known: Tensor, clean: Tensor, halvings: int) -> tuple[Tensor, list[Tensor]]:
    """Return what is found at half the size of pictures (B, 3, H, W), known (B, 1, H, W), 0 or 1, in part, without gradient,
    and what is wrong with it there and at the sizes below."""
    small, seen = halved(picture, known)
    truth, errors = half_size(clean), []
    if halvings > 1:
        guess, errors = _guess(residual, small, seen, truth, halvings - 1)
        x, t = _state(small, seen, guess)
    else:
        x, t = torch.where(seen > 0, small, 0.5), seen
    found = x - residual(x, t)
    return guess_from(found.detach(), *picture.shape[2:]), [*errors, (found - truth) * (1 - seen)]


def _state(picture: Tensor, known: Tensor, guess: Tensor) -> tuple[Tensor, Tensor]:
    """Return where pictures stand, and the times of their pixels, when what is missing begins in a guess."""
    begun = torch.lerp(torch.full_like(guess, 0.5), guess, GUESSED_AT)  # on the way from the mean of the noise
    return torch.where(known > 0, picture, begun), torch.where(known > 0, known, GUESSED_AT)
