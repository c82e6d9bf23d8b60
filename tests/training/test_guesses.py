"""Holes that begin in what the network finds at half the size."""

from __future__ import annotations

import torch
from drawn import scenes
from torch import Tensor

from irflow_cli.flow.coarse import GUESSED_AT, doubled, halved
from irflow_cli.training.guesses import with_guesses
from irflow_cli.training.sampling import Source, draw_source

sides: list[int] = []


def brighter(x: Tensor, t: Tensor) -> Tensor:
    """A network that finds whatever is missing a tenth brighter than it stands."""
    sides.append(x.shape[2])
    return -0.1 * (t < 1)


def source_of(count: int) -> Source:
    """Pictures whose left half is missing, at time 0 in all but the last, which stands half way."""
    clean = scenes(count)
    times = torch.ones_like(clean[:, :1])
    times[..., : clean.shape[3] // 2] = 0
    times[-1, ..., : clean.shape[3] // 2] = 0.5
    return Source(torch.where(times > 0, clean, 0.7), clean, times)


def test_chosen_holes_begin_in_a_guess_and_what_is_known_stays() -> None:
    source = source_of(3)
    sides.clear()
    (degraded, clean, times), _ = with_guesses(brighter, source, 1.0, torch.Generator().manual_seed(0))
    side = clean.shape[2]
    assert sides == [side // 8, side // 4, side // 2]
    known = source.start == 1
    assert torch.equal(clean, source.clean)
    assert torch.equal(degraded[known.expand_as(clean)], clean[known.expand_as(clean)])
    assert torch.equal(degraded[-1], source.degraded[-1])
    assert torch.equal(times[-1], source.start[-1])
    hole = ~known[:-1]
    assert bool((times[:-1][hole] == GUESSED_AT).all())

    sizes = [(clean, known.float())]
    for _ in range(3):
        sizes.append(halved(*sizes[-1]))
    guess = torch.where(sizes[3][1] > 0, sizes[3][0], 0.6)  # from nothing: the mean of the noise, a tenth brighter
    for small, seen in sizes[2:0:-1]:
        begun = 0.5 + GUESSED_AT * (doubled(guess, *small.shape[2:]) - 0.5)
        guess = torch.where(seen > 0, small, begun + 0.1)
    expected = 0.5 + GUESSED_AT * (doubled(guess, side, side) - 0.5)
    assert torch.allclose(degraded[:-1][hole.expand_as(clean[:-1])], expected[:-1][hole.expand_as(clean[:-1])], atol=1e-5)


def test_a_share_of_the_holes_begins_so() -> None:
    source = source_of(41)
    generator = torch.Generator().manual_seed(0)
    assert with_guesses(brighter, source, 0.0, generator) == (source, [])
    times = with_guesses(brighter, source, 0.5, generator)[0].start
    guessed = int((times == GUESSED_AT).amax((1, 2, 3)).sum())
    assert 12 < guessed < 28


def test_every_size_is_trained_where_it_guesses_and_by_itself_alone() -> None:
    source = source_of(4)
    shift = torch.zeros(3, requires_grad=True)

    def net(x: Tensor, t: Tensor) -> Tensor:
        return shift[:, None, None] * x.shape[2] * (t < 1)

    _, errors = with_guesses(net, source, 1.0, torch.Generator().manual_seed(0))
    side = source.clean.shape[2]
    assert [error.shape[2] for error in errors] == [side // 8, side // 4, side // 2]
    for error in errors:
        assert not bool(error[..., error.shape[3] // 2 :].any())
        assert bool(error[..., : error.shape[3] // 2].abs().amax((1, 2, 3)).all())
        (slope,) = torch.autograd.grad(error.sum(), shift, retain_graph=True)
        missing = len(error) * error.shape[2] * (error.shape[3] // 2)
        assert slope.tolist() == [-missing * error.shape[2]] * 3  # nothing comes from the other sizes


def test_a_picture_without_a_hole_is_guessed_at_with_the_hole_of_another() -> None:
    source = source_of(4)
    times = source.start.clone()
    times[:2] = 0.4
    _, errors = with_guesses(brighter, Source(source.degraded, source.clean, times), 1.0, torch.Generator().manual_seed(0))
    assert not bool(errors[-1][:2, ..., errors[-1].shape[3] // 2 :].any())


def test_pictures_without_holes_stay_on_their_paths() -> None:
    """Those on the way from noise, from an enlarged copy, or from noise with known parts that have gone on."""
    clean = scenes(64)
    source = draw_source("prior", clean, torch.Generator().manual_seed(0), known=0.8)
    before = source.start.expand(-1, 1, *clean.shape[2:])
    after = with_guesses(brighter, source, 1.0, torch.Generator().manual_seed(0))[0].start
    changed = (before != after).amax((1, 2, 3))
    holes = (before.amax((1, 2, 3)) == 1) & (before.amin((1, 2, 3)) == 0)
    assert torch.equal(changed, holes)
    assert 0.2 < float(changed.float().mean()) < 0.7
