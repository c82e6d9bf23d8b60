"""Samplers that correct the estimate of the clean picture by the observation."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from irflow_cli.flow.guided.guidance import Guidance
from irflow_cli.flow.paths import clean_from_velocity, interpolate
from irflow_cli.flow.samplers import Trajectory, Velocity


def pixelwise(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Sample the missing pixels; the known ones stand where they are clean, at time 1, and the field is given their times.

    Ours, for a field that takes the time of every pixel, (B, 1, H, W), and an observation of pixels. Nothing known is ever
    covered with noise, so one step from t = 0 is the mean of all pictures that agree, and more steps draw one of them. With
    noise the known ones stand at the time that has as much, and go from there to 1 while the missing ones do. nfe = N.

    Raises ValueError for observations that are no choice of pixels.
    """
    observation, start = guide.observation, times[0]
    if observation.known is None:
        raise ValueError("an observation without known pixels has no pixelwise trajectory")
    known = (observation.known > 0).expand(x.shape[0], -1, -1, -1)

    def clock(t: Tensor) -> Tensor:
        lead = guide.entry + (1 - guide.entry) * (t - start) / (1 - start)
        return torch.where(known, lead, t).to(x)

    x = observation.projected(x, guide.mean + guide.entry * (observation.picture - guide.mean))
    for t, s in itertools.pairwise(times):
        x = x + (clock(s) - clock(t)) * velocity(x, clock(t))
    steps = len(times) - 1
    return Trajectory(x, steps, steps)


def bridge_flow(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Correct both ends of the straight path through x: the clean one agrees with the observation, the noisy one follows.

    The bridge correction of ReBridge-Flow (arXiv 2609.00811), lambda = rho = 1. weight: kappa, 5. nfe = N; draws none.
    """
    observation, kappa = guide.observation, guide.chosen(5.0)
    for t, s in itertools.pairwise(times):
        slope = velocity(x, t)
        source, end = x - t * slope, x + (1 - t) * slope
        stiffness = 1 + kappa * (1 - t) ** 2
        doubt = guide.sigma**2 * (1 + kappa * t**2 / stiffness)
        end = end + observation.project(observation.picture - end) / (1 + doubt)
        source = (source + kappa * (1 - t) * (x - t * end)) / stiffness
        x = x + (s - t) * (end - source)
    steps = len(times) - 1
    return Trajectory(guide.projected(x, 1.0), steps, steps)


def pnp_flow(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Step to the observation, bring the picture to time t with fresh noise, take the mean of C clean estimates; next t.

    PnP-Flow (arXiv 2410.02423, algorithm 3): the step before time t has length (1 - t)^alpha, of 1 that would land on the
    observation. weight: alpha; the paper has 0.01 to 0.8, more for more noise; usual are 0 without noise and 0.8 with it.
    The state is a clean picture throughout: x at times[0] > 0 is taken as one brought there, and its noise is not used. Held at
    time t with a normal prior, the mean of its states is the posterior's for noise of variance (1 - t)^(2 - alpha) / t^2, in
    squares of the source's deviation, whatever sigma is. nfe = 1 + (N - 1) C.
    """
    observation, steps, draws = guide.observation, len(times) - 1, max(1, guide.corrections)
    alpha, estimate = guide.chosen(0.8 if guide.sigma else 0.0), x
    for index, t in enumerate(times[:-1]):
        if index:
            length = (1 - t) ** alpha
            estimate = estimate + length * observation.project(observation.picture - estimate)
        states = [x] if index == 0 else [interpolate(guide.noise(), estimate, t) for _ in range(draws)]
        estimate = torch.stack([clean_from_velocity(state, velocity(state, t), t) for state in states]).mean(0)
    return Trajectory(guide.projected(estimate, 1.0), steps, 1 + (steps - 1) * draws)


def half_quadratic(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """As PnP-Flow, without its noise: at time t the field takes what is wrong with the estimate for noise of that time.

    Half-quadratic splitting with a denoiser, as DPIR does it (arXiv 2008.13751, eq. 6, lambda = 1): the step to the
    observation weighs its noise against that of the next time. nfe = N. x is a clean estimate brought to times[0] with the mean
    of the noise. Held at time t with a normal prior, it finds the posterior's mean for noise of variance sigma^2 + (1 - t)^2 /
    t^2, in squares of the source's deviation.
    """
    observation, estimate = guide.observation, x
    for index, (t, s) in enumerate(itertools.pairwise(times)):
        state = x if index == 0 else guide.mean + t * (estimate - guide.mean)
        estimate = clean_from_velocity(state, velocity(state, t), t)
        wrong = ((1 - float(s)) / float(s)) ** 2
        share = wrong / (wrong + guide.sigma**2) if guide.sigma else 1.0
        estimate = estimate + share * observation.project(observation.picture - estimate)
    steps = len(times) - 1
    return Trajectory(estimate, steps, steps)
