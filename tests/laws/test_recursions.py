"""PnP-Flow and OT-ODE, whose ends are no draws of a posterior, and half-quadratic splitting: what they do instead is known.

For a normal prior the field is affine in the state, and so is the end of a trajectory in all noise that it draws. Drawing unit
vectors in place of noise gives that map as a matrix, and with it the exact mean and covariance of the ends. Recursions in numpy
must give the same. Held at one time, the mean stands still where a posterior's mean is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from irflow_cli.flow.guided import GUIDED, Guidance
from irflow_cli.flow.observations import Observation

PIXELS = 6
EXACT = 1e-9
MASKS = {"some": [1, 0, 0, 1, 1, 0], "one": [0, 0, 1, 0, 0, 0], "all": [1] * 6, "none": [0] * 6}
PAIRS = np.kron(np.eye(3), np.full((2, 2), 0.5))  # the projector of means of two
PROJECTORS = {**{name: np.diag(mask).astype(float) for name, mask in MASKS.items()}, "means": PAIRS}
ALPHAS = (0.0, 0.5, 1.0)
SIGMAS = (0.0, 0.2)

Law = tuple[np.ndarray, np.ndarray]  # mean (6,), covariance (6, 6)


@dataclass(frozen=True)
class Case:
    """A normal prior, a source of `level` and `spread`, and what is seen of a picture: its part in `projector`, with noise."""

    mean: np.ndarray
    covariance: np.ndarray
    projector: np.ndarray
    seen: np.ndarray
    sigma: float = 0.0
    level: float = 0.5
    spread: float = 0.5

    def gain(self, t: float) -> np.ndarray:
        """Return how far the clean estimate moves with the state of time t."""
        return t * self.covariance @ np.linalg.inv(t**2 * self.covariance + ((1 - t) * self.spread) ** 2 * np.eye(PIXELS))

    def field(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the exact velocity."""
        time, state = float(t), x.flatten(1)
        centre = torch.from_numpy(time * self.mean + (1 - time) * self.level)
        end = torch.from_numpy(self.mean) + (state - centre) @ torch.from_numpy(self.gain(time)).T
        return ((end - state) / (1 - time)).reshape(x.shape)

    def observation(self, rows: int) -> Observation:
        """Return what is seen, once for each row."""
        projector = torch.from_numpy(self.projector)
        picture = torch.from_numpy(self.projector @ self.seen).reshape(1, 1, 1, PIXELS).expand(rows, -1, -1, -1)
        return Observation(picture, lambda x: x @ projector, None, self.sigma)

    def posterior_mean(self, variance: float) -> np.ndarray:
        """Return the mean of all pictures, given what is seen, if its noise had this variance."""
        certainty = np.linalg.inv(self.covariance)
        return np.linalg.solve(
            certainty + self.projector / variance, certainty @ self.mean + self.projector @ self.seen / variance
        )

    def agreed(self, law: Law) -> Law:
        """Return the law of the ends once what was seen without noise has been put back."""
        if self.sigma:
            return law
        rest = np.eye(PIXELS) - self.projector
        return rest @ law[0] + self.projector @ self.seen, rest @ law[1] @ rest


def drawn(seed: int, projector: str = "some", sigma: float = 0.0, **changes: float) -> Case:
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(PIXELS, PIXELS)) / 6
    covariance = roots @ roots.T + 0.02 * np.eye(PIXELS)
    return Case(rng.uniform(0.2, 0.8, PIXELS), covariance, PROJECTORS[projector], rng.uniform(0, 1, PIXELS), sigma, **changes)


def ends_of(
    sampler: str, case: Case, times: list[float], corrections: int = 1, weight: float | None = None, rows: int = 1
) -> tuple[np.ndarray, int]:
    """Return ends (rows, 6) and how often noise was drawn. The first row's noise is its own mean; each other row has one unit
    vector in one of its draws, the next row the next one."""
    count = 0

    def noise() -> Tensor:
        nonlocal count
        unit, first = torch.zeros(rows, PIXELS, dtype=torch.float64), 1 + count * PIXELS
        if first < rows:
            unit[first : first + PIXELS] = torch.eye(PIXELS, dtype=torch.float64)
        count += 1
        return (case.level + case.spread * unit).reshape(rows, 1, 1, PIXELS)

    guide = Guidance(case.observation(rows), noise, corrections, case.level, case.spread, weight)
    state = GUIDED[sampler](case.field, noise(), torch.tensor(times, dtype=torch.float64), guide).state
    return state.flatten(1).numpy(), count


def law_of(sampler: str, case: Case, times: list[float], corrections: int = 1, weight: float | None = None) -> Law:
    """Return the exact mean and covariance of a sampler's ends."""
    _, draws = ends_of(sampler, case, times, corrections, weight)
    ends, _ = ends_of(sampler, case, times, corrections, weight, 1 + draws * PIXELS)
    moved = ends[1:] - ends[0]
    return ends[0], moved.T @ moved


def pnp_law(case: Case, times: list[float], draws: int, alpha: float) -> Law:
    """PnP-Flow (arXiv 2410.02423, algorithm 3): step of (1 - t)^alpha to what is seen, noise of time t, mean of estimates."""
    first = case.gain(times[0])
    mean = case.mean + first @ (np.full(PIXELS, case.level) - times[0] * case.mean - (1 - times[0]) * case.level)
    covariance = case.spread**2 * first @ first.T
    for t in times[1:-1]:
        kept, gain = np.eye(PIXELS) - (1 - t) ** alpha * case.projector, case.gain(t)
        stepped = kept @ mean + (1 - t) ** alpha * case.projector @ case.seen
        mean = case.mean + t * gain @ (stepped - case.mean)
        noise = ((1 - t) * case.spread) ** 2 / draws * np.eye(PIXELS)
        covariance = gain @ (t**2 * kept @ covariance @ kept + noise) @ gain.T
    return case.agreed((mean, covariance))


def ot_ode_law(case: Case, times: list[float], power: float) -> Law:
    """OT-ODE (arXiv 2310.04432, algorithm 1): the likelihood's gradient, of a guessed spread, is added to the velocity."""
    mean, covariance = np.full(PIXELS, case.level), case.spread**2 * np.eye(PIXELS)
    for t, s in itertools.pairwise(times):
        gain, sum_of_squares = case.gain(t), t**2 + (1 - t) ** 2
        slope, lift = (gain - np.eye(PIXELS)) / (1 - t), np.zeros((PIXELS, PIXELS))
        if t > 0:
            guessed = (1 - t) ** 2 / sum_of_squares + (case.sigma / case.spread) ** 2
            lift = (t / sum_of_squares) ** power * (1 - t) / t / guessed * gain.T @ case.projector
        onward = np.eye(PIXELS) + (s - t) * (slope - lift @ gain)
        base = case.mean - gain @ (t * case.mean + (1 - t) * case.level)  # the estimate of a state of zeros
        mean = onward @ mean + (s - t) * (base / (1 - t) + lift @ (case.seen - base))
        covariance = onward @ covariance @ onward.T
    return case.agreed((mean, covariance))


SOURCES = st.sampled_from([{}, {"level": 0.0, "spread": 1.0}, {"level": 0.3, "spread": 0.7}])
GRIDS = st.lists(st.floats(0.02, 0.95), max_size=8, unique=True).map(lambda times: [0.0, *sorted(times), 1.0])
CASES = {"seed": st.integers(0, 10**6), "projector": st.sampled_from(sorted(PROJECTORS)), "source": SOURCES, "times": GRIDS}
EXAMPLES = settings(max_examples=25, deadline=None, derandomize=True)


def assert_same(found: Law, expected: Law) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("alpha", ALPHAS)
@given(**CASES, draws=st.integers(1, 3))
@EXAMPLES
def test_pnp_flow_follows_its_recursion(alpha: float, sigma: float, seed, projector, source, times, draws) -> None:
    case = drawn(seed, projector, sigma, **source)
    assert_same(law_of("pnp", case, times, draws, alpha), pnp_law(case, times, draws, alpha))


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@given(**CASES)
@EXAMPLES
def test_ot_ode_follows_its_recursion(power: float, sigma: float, seed, projector, source, times) -> None:
    case = drawn(seed, projector, sigma, **source)
    assert_same(law_of("ot-ode", case, times, weight=power), ot_ode_law(case, times, power))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_usual_numbers_are_those_that_are_told(sigma: float) -> None:
    case, times = drawn(1, sigma=sigma), [0.0, 0.3, 0.6, 1.0]
    assert_same(law_of("pnp", case, times), pnp_law(case, times, 1, 0.8 if sigma else 0.0))
    assert_same(law_of("ot-ode", case, times), ot_ode_law(case, times, 0.0))


def blind(case: Case, t: float, alpha: float) -> float:
    return (case.spread / t) ** 2 * (1 - t) ** (2 - alpha)


def told(case: Case, t: float, alpha: float) -> float:
    return case.sigma**2 + (case.spread * (1 - t) / t) ** 2


HELD = 400  # steps at one time, after which the beginning is forgotten
STANDING = [("pnp", alpha, blind) for alpha in ALPHAS] + [("hqs", 0.0, told)]


@pytest.mark.parametrize("projector", ["some", "one", "all", "means"])
@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("t", [0.4, 0.6])
@pytest.mark.parametrize(("sampler", "alpha", "variance"), STANDING)
def test_held_at_a_time_the_mean_is_that_of_a_posterior(
    sampler: str, alpha: float, variance: Callable[[Case, float, float], float], t: float, sigma: float, projector: str
) -> None:
    """Of one with another noise than what is seen has. PnP-Flow's does not know sigma: towards t = 1 it goes to nothing, with
    alpha more slowly. That of half-quadratic splitting goes to sigma."""
    case = drawn(7, projector, sigma)
    ends, _ = ends_of(sampler, case, [*[t] * HELD, 1.0], weight=alpha)
    expected = case.posterior_mean(variance(case, t, alpha)), np.zeros((PIXELS, PIXELS))
    np.testing.assert_allclose(ends[0], case.agreed(expected)[0], rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_ot_ode_in_many_steps(power: float, sigma: float) -> None:
    """For the prior that its guess of the spread is right for, that of the source itself, constant gamma is the posterior.
    gamma_t is too where nothing is noisy; else what is left of the source's deviation is an integral, and another number."""
    case = replace(drawn(3, "some", sigma), mean=np.full(PIXELS, 0.5), covariance=0.25 * np.eye(PIXELS))
    mean, covariance = law_of("ot-ode", case, np.linspace(0, 1, 501).tolist(), weight=power)
    ratio, known = (sigma / case.spread) ** 2, np.diag(case.projector) > 0
    nodes, weights = np.polynomial.legendre.leggauss(200)
    t = (nodes + 1) / 2
    squares = t**2 + (1 - t) ** 2
    pull = (t / squares) ** power * t * (1 - t) / squares / ((1 - t) ** 2 + ratio * squares)
    left = case.spread * np.exp(-(weights / 2 * pull).sum()) if sigma else 0.0
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), np.where(known, left, case.spread), atol=2e-3)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-9)
    posterior = case.spread * np.sqrt(ratio / (1 + ratio))
    assert (abs(left - posterior) < 1e-6) == (power == 0 or not sigma)
    if left == pytest.approx(posterior):
        np.testing.assert_allclose(mean, case.agreed((case.posterior_mean(sigma**2 or 1e-9), covariance))[0], atol=2e-3)
