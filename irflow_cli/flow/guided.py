"""Guided samplers: walks along a prior's velocity field that end in a picture which agrees with an observation.

Like the samplers of `flow.samplers` they see callables and times only. A field knows t as (), (B,) or, for `pixelwise`, as
(B, 1, H, W). All are affine in the range of values: a prior on
[-1, 1] with standard normal noise and one on [0, 1] with noise of mean and deviation a half give the same pictures.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from irflow_cli.flow.observations import Observation
from irflow_cli.flow.paths import clean_from_velocity, interpolate
from irflow_cli.flow.samplers import Velocity, Walk

Noise = Callable[[], Tensor]  # -> a fresh draw of the paths' source, shaped as the state


@dataclass(frozen=True)
class Guidance:
    """What leads a walk. noise: fresh draws of the source, whose mean is `mean`. corrections: C of Restora-Flow, look-aheads of
    each step; the mean of as many draws in PnP-Flow. What is observed is taken as free of noise.
    """

    observation: Observation
    noise: Noise
    corrections: int = 1
    mean: float = 0.5


def pixelwise(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Walk:
    """Walk the missing pixels alone: the known ones stand at time 1, where they are clean, and the field is told so.

    Ours, for a field that takes the time of every pixel, (B, 1, H, W), and an observation of pixels. Nothing known is ever
    covered with noise, so one step from t = 0 is the mean of all pictures that agree, and more steps draw one of them. nfe = N.
    Raises ValueError for observations that are no choice of pixels.
    """
    known = guide.observation.known
    if known is None:
        raise ValueError("an observation without known pixels has no pixelwise walk")
    x = guide.observation.imposed_on(x)
    for t, s in itertools.pairwise(times):
        now = torch.where(known > 0, torch.ones_like(known), t.to(known)).expand(x.shape[0], -1, -1, -1)
        x = x + (1 - known) * (s - t) * velocity(x, now)
    steps = len(times) - 1
    return Walk(x, steps, steps)


def restora_flow(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Walk:
    """Replace what is known, step, and correct the trajectory: look ahead, bring the end back to t, step again, C times.

    Restora-Flow (arXiv 2511.20152, algorithm 1). nfe = N + 2 C (N - 1). Differs from the released code in that the step which
    is not corrected is the last, not the first: a look-ahead at its end would ask the field at t = 1. C = 0 is replacement.
    """
    steps, nfe = len(times) - 1, 0
    for index, (t, s) in enumerate(itertools.pairwise(times)):
        corrections = guide.corrections if index < steps - 1 else 0
        for turn in range(corrections + 1):
            if index or turn:
                x = guide.observation.imposed_on(x, interpolate(guide.noise(), guide.observation.picture, t))
            x = x + (s - t) * velocity(x, t)
            nfe += 1
            if turn < corrections:
                ahead = clean_from_velocity(x, velocity(x, s), s)
                x = interpolate(guide.noise(), ahead, t)
                nfe += 1
    return Walk(guide.observation.imposed_on(x), steps, nfe)


def replacement(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Walk:
    """Replace what is known before every step: Restora-Flow without correction. nfe = N."""
    return restora_flow(velocity, x, times, Guidance(guide.observation, guide.noise, 0))


def bridge_flow(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance, *, kappa: float = 5.0) -> Walk:
    """Correct both ends of the straight path through x: the clean one agrees with the observation, the noisy one follows.

    The bridge correction of ReBridge-Flow (arXiv 2609.00811) for observations without noise, lambda = 1. nfe = N; draws none.
    """
    observation = guide.observation
    for t, s in itertools.pairwise(times):
        slope = velocity(x, t)
        source, end = x - t * slope, x + (1 - t) * slope
        stiffness = 1 + kappa * (1 - t) ** 2
        end = observation.imposed_on(end)
        source = (source + kappa * (1 - t) * (x - t * end)) / stiffness
        x = x + (s - t) * (end - source)
    steps = len(times) - 1
    return Walk(observation.imposed_on(x), steps, steps)


def pnp_flow(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Walk:
    """Impose the observation, bring the picture to time t with fresh noise, take the mean of C clean estimates; next t.

    PnP-Flow (arXiv 2410.02423) with a data step of full length, which for a projector lands on the observation. The state is a
    clean picture throughout: x at times[0] > 0 is taken as one brought there, and its noise is not used. nfe = 1 + (N - 1) C.
    """
    steps, draws = len(times) - 1, max(1, guide.corrections)
    estimate = x
    for index, t in enumerate(times[:-1]):
        states = [x] if index == 0 else [interpolate(guide.noise(), estimate, t) for _ in range(draws)]
        ends = [clean_from_velocity(state, velocity(state, t), t) for state in states]
        estimate = guide.observation.imposed_on(torch.stack(ends).mean(0))
    return Walk(estimate, steps, 1 + (steps - 1) * draws)


def half_quadratic(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Walk:
    """As PnP-Flow, without its noise: at time t the field takes what is wrong with the estimate for noise of that time.

    Half-quadratic splitting with a denoiser, as DPIR does it (arXiv 2008.13751). nfe = N. x is a clean estimate brought to
    times[0] with the mean of the noise.
    """
    estimate = x
    for index, t in enumerate(times[:-1]):
        state = x if index == 0 else t * estimate + (1 - t) * guide.mean
        estimate = guide.observation.imposed_on(clean_from_velocity(state, velocity(state, t), t))
    steps = len(times) - 1
    return Walk(estimate, steps, steps)


def ot_ode(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Walk:
    """Add to the velocity the gradient of the observation's likelihood, taken through the network.

    OT-ODE (arXiv 2310.04432), constant gamma. nfe = N, each with a backward pass, at two to three times the cost. Where
    t = 0 there is no correction yet.
    """
    observation = guide.observation
    for t, s in itertools.pairwise(times):
        with torch.enable_grad():
            state = x.detach().clone().requires_grad_()
            slope = velocity(state, t)
            end = clean_from_velocity(state, slope, t)
            spread = (1 - t) ** 2 / (t**2 + (1 - t) ** 2)
            miss = observation.project(observation.picture - end.detach()) / spread
            pull = torch.autograd.grad(end, state, miss)[0]
        lever = (1 - t) / t if float(t) > 0 else 0.0
        x = x + (s - t) * (slope.detach() + lever * pull)
    steps = len(times) - 1
    return Walk(observation.imposed_on(x), steps, steps)


GUIDED: dict[str, Callable[[Velocity, Tensor, Tensor, Guidance], Walk]] = {
    "pixelwise": pixelwise,
    "restora": restora_flow,
    "replacement": replacement,
    "bridge": bridge_flow,
    "pnp": pnp_flow,
    "hqs": half_quadratic,
    "ot-ode": ot_ode,
}
