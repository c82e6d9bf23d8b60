"""What every guided sampler must keep."""

from __future__ import annotations

import pytest
import torch
from observed import CLEAN, KNOWN, OBSERVATIONS, SHAPE
from torch import Tensor

from irflow_cli.flow.guided import CORRECTED, GUIDED, WEIGHTED, Guidance
from irflow_cli.flow.observations import Observation, masked, normal_noise
from irflow_cli.flow.paths import interpolate
from irflow_cli.flow.times import make_times

REFUSED = {
    "restora-denoise": {"mask", "nothing", "grid", "area"},
    "pixelwise": {"area"},
}  # observations that have no such trajectory
MASKED = [name for name in GUIDED if "mask" not in REFUSED.get(name, ())]


class Perfect:
    """The field of a prior that knows one picture: all paths end there. Counts its calls."""

    def __init__(self, end: Tensor) -> None:
        self.end, self.calls, self.latest = end, 0, -1.0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        self.latest = max(self.latest, float(t.min()))  # of the pixels that are on their way
        return (self.end - x) / (1 - t).clamp_min(1e-6)


def blurred(x: Tensor, t: Tensor) -> Tensor:
    """A field that looks at neighbours, so that what is known matters to what is not."""
    estimate = torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return (estimate - x) / (1 - t).clamp_min(0.05)


def source(seed: int, count: int = 2) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(100 * seed + index) for index in range(count)]


def sampled(sampler: str, field, observation: Observation, steps: int = 6, start: float = 0.1, corrections: int = 1) -> Tensor:
    generators = source(1)
    x = interpolate(normal_noise(torch.Size(SHAPE), generators), torch.full(SHAPE, 0.5), start)
    guide = Guidance(observation, lambda: normal_noise(SHAPE, generators), corrections)
    return GUIDED[sampler](field, x, make_times("uniform", steps, start).float(), guide).state


@pytest.mark.parametrize("sampler", GUIDED)
@pytest.mark.parametrize("kind", OBSERVATIONS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_end_agrees_with_what_was_observed(sampler: str, kind: str, steps: int) -> None:
    observation = OBSERVATIONS[kind]
    if kind in REFUSED.get(sampler, ()):
        with pytest.raises(ValueError, match=r"an observation (without|that)"):
            sampled(sampler, blurred, observation, steps)
        return
    end = sampled(sampler, blurred, observation, steps)
    assert torch.allclose(observation.project(end), observation.picture, atol=1e-5)
    assert end.isfinite().all()


@pytest.mark.parametrize("sampler", GUIDED)
@pytest.mark.parametrize("start", [0.0, 0.4])
@pytest.mark.parametrize("steps", [1, 2, 9])
@pytest.mark.parametrize("sigma", [0.0, 0.2])
def test_a_prior_of_one_picture_finds_it_and_is_never_asked_at_one(
    sampler: str, start: float, steps: int, sigma: float
) -> None:
    field, known = Perfect(CLEAN), KNOWN if sampler in MASKED else torch.ones_like(KNOWN)
    noisy = CLEAN + sigma * torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))
    wrong = sampled(sampler, field, masked(noisy, known, sigma), steps, start) - CLEAN
    if sampler == "bridge":  # its last step still mixes what the field says with a noisy observation
        assert float((known * wrong).norm()) <= 0.95 * float((known * (noisy - CLEAN)).norm())
        wrong = (1 - known) * wrong
    assert float(wrong.abs().max()) < 1e-4
    assert field.latest < 1


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("corrections", [0, 1, 3])
@pytest.mark.parametrize("sampler", MASKED)
def test_calls_are_counted(sampler: str, steps: int, corrections: int) -> None:
    inner = corrections * max(0, steps - 2)
    counts = {
        "restora": steps + corrections * max(0, 2 * steps - 3),
        "repaint": steps + inner,
        "ddnm": steps + inner,
        "pnp": 1 + (steps - 1) * max(1, corrections),
        "flow-priors": steps * (corrections + 1),
        "d-flow": steps * (2 * corrections + 3),
    }
    field = Perfect(CLEAN)
    guide = Guidance(OBSERVATIONS["mask"], lambda: torch.rand(SHAPE), corrections)
    trajectory = GUIDED[sampler](field, torch.rand(SHAPE), make_times("uniform", steps).float(), guide)
    assert trajectory.nfe == field.calls == counts.get(sampler, steps)
    assert trajectory.steps == steps
    assert (sampler in counts) == (sampler in CORRECTED)


@pytest.mark.parametrize("sampler", MASKED)
def test_a_weight_counts_where_it_is_said_to(sampler: str) -> None:
    def end(weight: float | None) -> torch.Tensor:
        chance = torch.Generator().manual_seed(2)
        draw = lambda: torch.rand(SHAPE, generator=chance)  # noqa: E731
        observation = masked(CLEAN + 0.1 * draw(), KNOWN, 0.1)
        guide = Guidance(observation, draw, 3, weight=weight)
        return GUIDED[sampler](blurred, draw(), make_times("uniform", 5).float(), guide).state

    assert (not torch.equal(end(None), end(37.0))) == (sampler in WEIGHTED)


def test_the_papers_setting_makes_189_calls() -> None:
    """The released code makes one more, at t = 1, whose result counts nothing."""
    guide = Guidance(OBSERVATIONS["mask"], lambda: torch.rand(SHAPE), 1)
    assert GUIDED["restora"](Perfect(CLEAN), torch.rand(SHAPE), make_times("uniform", 64).float(), guide).nfe == 189


def test_no_noise_is_drawn_at_the_start_to_throw_it_away() -> None:
    drawn = []

    def noise() -> Tensor:
        drawn.append(1)
        return torch.rand(SHAPE)

    guide = Guidance(OBSERVATIONS["mask"], noise, 1)
    GUIDED["restora"](Perfect(CLEAN), torch.rand(SHAPE), make_times("uniform", 3).float(), guide)
    assert len(drawn) == 6  # of two steps: for what is known, to go back, and for what is known again


def test_the_denoising_rule_begins_below_the_noise_it_tells() -> None:
    seen: list[tuple[Tensor, float]] = []

    def field(x: Tensor, t: Tensor) -> Tensor:
        seen.append((x, float(t)))
        return torch.zeros_like(x)

    guide = Guidance(masked(CLEAN, torch.ones_like(KNOWN), 0.1), lambda: torch.rand(SHAPE))  # 0.2 of the source's deviation
    trajectory = GUIDED["restora-denoise"](field, torch.rand(SHAPE), make_times("uniform", 10).float(), guide)
    assert torch.allclose(seen[0][0], 0.5 + 0.8 * (CLEAN - 0.5))
    assert [time for _, time in seen] == pytest.approx([0.8, 0.9])
    assert trajectory.nfe == 2


@pytest.mark.parametrize("sampler", GUIDED)
def test_noise_in_what_is_known_changes_what_is_found(sampler: str) -> None:
    """Where it is missing, or all of it where nothing is: no sampler leaves out what it is told of the noise."""
    known = KNOWN if sampler in MASKED else torch.ones_like(KNOWN)
    believed, doubted = (sampled(sampler, blurred, masked(CLEAN, known, sigma), corrections=3) for sigma in (0.0, 0.2))
    moved = (believed - doubted).abs() * (1 - known if sampler in MASKED else 1)
    assert float(moved.max()) > 1e-3


def test_without_corrections_it_is_replacement() -> None:
    ends = [sampled(name, blurred, OBSERVATIONS["mask"], corrections=0) for name in ("restora", "replacement")]
    assert torch.equal(*ends)
    assert not torch.equal(ends[0], sampled("restora", blurred, OBSERVATIONS["mask"], corrections=1))


@pytest.mark.parametrize("sampler", MASKED)
def test_a_sample_does_not_depend_on_its_batch(sampler: str) -> None:
    def trajectory(rows: slice) -> Tensor:
        generators = source(7)[rows]
        shape = (len(generators), *SHAPE[1:])
        guide = Guidance(masked(CLEAN[rows], KNOWN[rows]), lambda: normal_noise(shape, generators), 1)
        x = normal_noise(shape, generators)
        return GUIDED[sampler](blurred, x, make_times("uniform", 5, 0.05).float(), guide).state

    both = trajectory(slice(0, 2))
    assert torch.allclose(both[1:], trajectory(slice(1, 2)), atol=1e-6)
    assert torch.allclose(both[:1], trajectory(slice(0, 1)), atol=1e-6)


@pytest.mark.parametrize("sampler", GUIDED)
@pytest.mark.parametrize("sigma", [0.0, 0.1])
def test_the_range_of_values_does_not_matter(sampler: str, sigma: float) -> None:
    """On [-1, 1] with standard normal noise the trajectory is the same as on [0, 1] with noise of mean and deviation a half."""

    def wide(x: Tensor, t: Tensor) -> Tensor:
        return 2 * blurred((x + 1) / 2, t)

    def trajectory(field, observation: Observation, bring, mean: float) -> Tensor:
        generators = source(5)
        guide = Guidance(observation, lambda: bring(normal_noise(SHAPE, generators)), 1, mean, 1 - mean)
        x = bring(normal_noise(SHAPE, generators))
        return GUIDED[sampler](field, x, make_times("uniform", 5, 0.1).float(), guide).state

    known = KNOWN if sampler in MASKED else torch.ones_like(KNOWN)
    narrow = trajectory(blurred, masked(CLEAN, known, sigma), lambda x: x, 0.5)
    other = trajectory(wide, masked(2 * CLEAN - 1, known, 2 * sigma), lambda x: 2 * x - 1, 0.0)
    assert torch.allclose(2 * narrow - 1, other, atol=1e-4)
