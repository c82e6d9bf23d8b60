"""Guided samplers against the truth: for a normal prior the field and the posterior are known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.flow.guided import GUIDED, Guidance
from irflow_cli.flow.observations import Observation, area_average, masked
from irflow_cli.flow.times import make_times

HEIGHT, WIDTH, DRAWS, STEPS = 2, 4, 1000, 60
PIXELS = HEIGHT * WIDTH
PLACES = torch.stack(torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij"), -1).reshape(-1, 2).double()


class Normal:
    """A prior of pictures of eight pixels: normal, near ones alike. Its field is exact, at any times of the pixels."""

    def __init__(self, likeness: float = 0.8, spread: float = 0.25) -> None:
        self.mean = torch.linspace(0.3, 0.7, PIXELS).double()
        self.covariance = spread**2 * likeness ** torch.cdist(PLACES, PLACES)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        times = t[0].flatten().double() if t.ndim == 4 else t.double().expand(PIXELS)
        brought = times[:, None] * self.covariance
        gain = brought.T @ torch.linalg.inv(brought * times + torch.diag((1 - times) ** 2 / 4))
        state = x.flatten(1)
        end = self.mean + (state - times * self.mean - (1 - times) / 2) @ gain.T
        return ((end - state) / (1 - times).clamp_min(1e-6)).reshape(x.shape)

    def posterior(self, observation: Observation) -> tuple[Tensor, Tensor]:
        """Return the mean (8,) and the deviations (8,) of the pictures, given an observation."""
        project = observation.project(torch.eye(PIXELS).double().reshape(-1, 1, HEIGHT, WIDTH)).flatten(1)
        seen = project @ self.covariance @ project + observation.sigma**2 * project
        gain = self.covariance @ project @ torch.linalg.pinv(seen, rtol=1e-9)
        mean = self.mean + gain @ (observation.picture[0].flatten() - project @ self.mean)
        return mean, (self.covariance - gain @ project @ self.covariance).diagonal().clamp_min(0).sqrt()


TRUTH = torch.tensor([0.9, 0.1, 0.6, 0.4, 0.2, 0.8, 0.5, 0.7]).double().reshape(1, 1, HEIGHT, WIDTH).expand(DRAWS, -1, -1, -1)
SEEN = torch.tensor([1, 0, 1, 0, 0, 1, 0, 0]).double().reshape(1, 1, HEIGHT, WIDTH)
OBSERVATIONS = {
    "pixels": masked(TRUTH, SEEN),
    "noisy pixels": masked(TRUTH, SEEN, 0.2),
    "means": area_average(F.avg_pool2d(TRUTH, 2), 2),
    "noisy means": area_average(F.avg_pool2d(TRUTH, 2), 2, 0.1),
}
Bounds = tuple[float, tuple[float, float]]

# By sampler: how far the mean of its ends is from the posterior's, in parts of the way from there to the prior's mean, at most,
# and the deviation of its ends, in parts of the posterior's; for what is seen without noise, and with it. Exact samplers have
# 0 and 1. Samplers that seek one likely picture have no deviation. Corrections of Restora-Flow and means of PnP-Flow take
# some away; noise in the observation takes most samplers further off.
KNOWN_TO_BE: dict[str, tuple[Bounds, Bounds]] = {
    "pixelwise": ((0.03, (0.9, 1.1)), (0.3, (0.4, 1.1))),
    "restora": ((0.1, (0.6, 0.9)), (0.25, (0.4, 1.1))),
    "replacement": ((0.4, (0.9, 1.5)), (0.5, (0.6, 1.1))),
    "repaint": ((0.12, (0.85, 1.1)), (0.2, (0.85, 1.15))),
    "ddnm": ((0.1, (0.85, 1.1)), (0.6, (0.4, 1.1))),
    "bridge": ((0.5, (0.9, 1.7)), (0.6, (0.9, 1.3))),
    "pnp": ((0.1, (0.5, 0.9)), (0.3, (0.4, 0.9))),
    "hqs": ((0.1, (0.0, 0.01)), (0.12, (0.0, 0.01))),
    "ot-ode": ((0.2, (0.9, 1.3)), (0.3, (0.9, 1.3))),
    "flow-priors": ((0.15, (0.0, 1.0)), (0.02, (0.0, 0.1))),
}
CORRECTIONS = {"repaint": 4, "ddnm": 4, "flow-priors": 4}


def ends_of(sampler: str, field: Normal, observation: Observation, steps: int = STEPS) -> Tensor:
    generator = torch.Generator().manual_seed(1)

    def noise() -> Tensor:
        return torch.randn((DRAWS, 1, HEIGHT, WIDTH), generator=generator, dtype=torch.float64) / 2 + 0.5

    guide = Guidance(observation, noise, CORRECTIONS.get(sampler, 1))
    return GUIDED[sampler](field, noise(), make_times("uniform", steps), guide).state.flatten(1)


@pytest.mark.parametrize(
    ("sampler", "kind"),
    [(name, kind) for name in KNOWN_TO_BE for kind in OBSERVATIONS if name != "pixelwise" or "pixels" in kind],
)
def test_ends_are_as_near_to_the_posterior_as_they_are_known_to_be(sampler: str, kind: str) -> None:
    field, observation, noisy = Normal(), OBSERVATIONS[kind], kind.startswith("noisy")
    off, (least, most) = KNOWN_TO_BE[sampler][noisy]
    ends, (mean, deviation) = ends_of(sampler, field, observation), field.posterior(observation)
    assert float((ends.mean(0) - mean).norm() / (field.mean - mean).norm()) < off
    free = deviation > 1e-3
    assert least <= float((ends.std(0) / deviation)[free].mean()) <= most


@pytest.mark.parametrize("kind", ["pixels", "noisy pixels"])
def test_one_pixelwise_step_is_the_mean_of_all_pictures_that_agree(kind: str) -> None:
    field = Normal()
    assert torch.allclose(ends_of("pixelwise", field, OBSERVATIONS[kind], 1)[0], field.posterior(OBSERVATIONS[kind])[0])


@pytest.mark.parametrize("kind", ["noisy pixels", "noisy means"])
def test_ot_ode_is_exact_for_the_prior_it_is_made_for(kind: str) -> None:
    """Its guess of the spread of clean pictures is right where they spread as the noise does, each pixel for itself."""
    field = Normal(1e-9, 0.5)
    ends, (mean, deviation) = ends_of("ot-ode", field, OBSERVATIONS[kind]), field.posterior(OBSERVATIONS[kind])
    assert torch.allclose(ends.mean(0), mean, atol=0.04)
    assert torch.allclose(ends.std(0), deviation, rtol=0.08)


@pytest.mark.parametrize("sigma", [0.05, 0.3])
def test_d_flow_ends_at_the_likeliest_pixel(sigma: float) -> None:
    """Of one pixel the norm's likelihood is that of a normal number, and the likeliest end is the posterior's mean."""
    spread, mean = 0.25, 0.4
    seen = torch.linspace(0, 1, 16).double().reshape(-1, 1, 1, 1)

    def field(x: Tensor, t: Tensor) -> Tensor:
        gain = t * spread**2 / ((t * spread) ** 2 + (1 - t) ** 2 / 4)
        return (mean + gain * (x - t * mean - (1 - t) / 2) - x) / (1 - t)

    guide = Guidance(masked(seen, torch.ones_like(seen), sigma), lambda: torch.full_like(seen, 0.5), 20)
    ends = GUIDED["d-flow"](field, torch.full_like(seen, 0.7), make_times("uniform", 20), guide).state
    share = spread**2 / (spread**2 + sigma**2)
    assert torch.allclose(ends, mean + share * (seen - mean), atol=0.01)


@pytest.mark.parametrize(
    ("sampler", "weight"),
    [("pnp", 0.1), ("ot-ode", 0.5), ("bridge", 1.0), ("ddnm", 0.2), ("flow-priors", 3.0), ("d-flow", 3.0)],
)
def test_the_papers_numbers_matter(sampler: str, weight: float) -> None:
    """alpha of PnP-Flow, gamma of OT-ODE, kappa of the bridge, eta of DDNM, lambda of the descents: each moves the end."""
    noise = torch.linspace(0, 1, DRAWS * PIXELS).double().reshape(DRAWS, 1, HEIGHT, WIDTH)

    def end(given: float | None) -> Tensor:
        guide = Guidance(OBSERVATIONS["noisy pixels"], lambda: noise, 3, weight=given)
        return GUIDED[sampler](Normal(), noise, make_times("uniform", 6), guide).state

    assert not torch.allclose(end(None), end(weight), atol=1e-4)
