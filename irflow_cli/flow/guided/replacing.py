"""Samplers that put the observation, or its estimate, into the state of every step."""

from __future__ import annotations

import itertools
from dataclasses import replace

from torch import Tensor

from irflow_cli.flow.guided.guidance import Guidance
from irflow_cli.flow.paths import clean_from_velocity, interpolate
from irflow_cli.flow.samplers import Trajectory, Velocity


def restora_flow(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Replace what is known, step, and correct the trajectory: look ahead, bring the end back to t, step again, C times.

    Restora-Flow (arXiv 2511.20152, algorithm 1). A step from t = 0 is not corrected, for to go back there is to begin anew;
    all others are, as in the released code. That asks the network at t = 1 once a correction, with a weight of 0; here the
    state is taken as it is. nfe = N + C (2 N - 3) from t = 0, N + C (2 N - 1) from later; with N = 1 from t = 0 it is 1.
    C = 0 is replacement. Noise in the observation, which the released code ignores under a mask, makes up for a part of what is
    added; from where it is more than a state has, the trajectory goes on without replacing, and so without correcting.
    """
    nfe = 0
    for t, s in itertools.pairwise(times):
        corrections = guide.corrections if 0 < float(t) <= guide.entry else 0
        for turn in range(corrections + 1):
            if float(t) > 0:
                x = guide.projected(x, t)
            x = x + (s - t) * velocity(x, t)
            nfe += 1
            if turn < corrections:
                ahead = x
                if float(s) < 1:
                    ahead = clean_from_velocity(x, velocity(x, s), s)
                    nfe += 1
                x = interpolate(guide.noise(), ahead, t)
    return Trajectory(guide.projected(x, 1.0), len(times) - 1, nfe)


def replacement(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Replace what is known before every step: Restora-Flow without correction. nfe = N."""
    return restora_flow(velocity, x, times, replace(guide, corrections=0))


def denoising_rule(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Hold (1 - sigma) y until time 1 - sigma, then sample: how Restora-Flow (arXiv 2511.20152) denoises as released.

    sigma is in units of the source's deviation, so that state has less noise than the network is given, sigma (1 - sigma) in
    place of sigma; `restora` and `pixelwise` enter where both agree. The trajectory begins at 1 - sigma itself, not at the
    next time of a grid, and does not ask at t = 1. nfe: the times of the grid from there on. Raises ValueError for
    observations that do not know every pixel.
    """
    observation = guide.observation
    if observation.known is None or not bool((observation.known > 0).all()):
        raise ValueError("an observation that does not know every pixel is not one to denoise")
    enter = min(max(1 - guide.sigma, 0.0), 1.0)
    x = guide.mean + enter * (observation.picture - guide.mean)
    later = [float(time) for time in times if float(time) > enter + 1e-6]
    for t, s in itertools.pairwise([enter, *later]):
        x = x + (s - t) * velocity(x, times.new_tensor(t))
    return Trajectory(x, len(times) - 1, len(later))


def repaint(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Draw the state of s from that of t, replace what is known; go back to t by adding noise and draw again, C times.

    RePaint (arXiv 2201.09865, algorithm 1, jumps of one step) for a prior of straight paths, whose states have the noise of a
    diffusion at another clock. Steps from t = 0 and to t = 1 are not done again, nor those to where an observation with noise
    is not replaced any more. nfe = N + C (N - 2) from t = 0, without noise.
    """
    nfe = 0
    for t, s in itertools.pairwise(times):
        again = guide.corrections if float(t) > 0 and float(s) < 1 and float(s) <= guide.entry else 0
        for turn in range(again + 1):
            end = clean_from_velocity(x, velocity(x, t), t)
            nfe += 1
            kept, added = ancestral(t, s, 1.0)
            x = _brought(x, end, (t, s), kept, guide)
            x = guide.projected(x + added * guide.fresh() if added else x, s)
            if turn < again:
                x = _back(x, t, s, guide)
    return Trajectory(x, len(times) - 1, nfe)


def ddnm(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Correct the clean estimate by the observation and draw the state of s from it; go back to t and draw again, C times.

    DDNM and, with noise, DDNM+ (arXiv 2212.00490, eq. 13, 17 and 18, time travel of one step) for a prior of straight paths:
    noise that comes in by the observation is taken off what is drawn, and the correction is less where it is more than that.
    weight: eta, how much is drawn anew, 0.85 as released. nfe = N + C (N - 2) from t = 0.
    """
    observation, nfe = guide.observation, 0
    for t, s in itertools.pairwise(times):
        again = guide.corrections if float(t) > 0 and float(s) < 1 else 0
        kept, added = ancestral(t, s, guide.chosen(0.85))
        brings = guide.sigma * (float(s) - float(t) * kept)  # noise of the observation in the next state, at full correction
        share = min(1.0, added / brings) if brings > 0 else 1.0
        rest = max(0.0, added**2 - (share * brings) ** 2) ** 0.5
        for turn in range(again + 1):
            end = clean_from_velocity(x, velocity(x, t), t)
            nfe += 1
            end = end + share * observation.project(observation.picture - end)
            x = _brought(x, end, (t, s), kept, guide)
            if added:
                fresh = guide.fresh()
                x = x + added * fresh + (rest - added) * observation.project(fresh)
            if turn < again:
                x = _back(x, t, s, guide)
    return Trajectory(guide.projected(x, 1.0), len(times) - 1, nfe)


def ancestral(t: Tensor | float, s: Tensor | float, eta: float) -> tuple[float, float]:
    """Return how a state of time s > t is drawn, given that of t and the clean picture: s x_1 + kept (x_t - t x_1) + added n.

    n is fresh noise of the source's deviation. With eta = 1 it is the exact posterior of the process whose states have the
    noise of the straight path; with 0 nothing is drawn, and the step is Euler's.
    """
    t, s = float(t), float(s)
    drawn = (1 - s) ** 2 * (1 - (t / s * (1 - s) / (1 - t)) ** 2)
    added = eta * max(0.0, drawn) ** 0.5
    return max(0.0, (1 - s) ** 2 - added**2) ** 0.5 / (1 - t), added


def _brought(x: Tensor, end: Tensor, span: tuple[Tensor, Tensor], kept: float, guide: Guidance) -> Tensor:
    """Return the mean of the state of time s, given x of t and a clean picture: `ancestral` without its noise."""
    t, s = span
    return guide.mean + s * (end - guide.mean) + kept * (x - guide.mean - t * (end - guide.mean))


def _back(x: Tensor, t: Tensor, s: Tensor, guide: Guidance) -> Tensor:
    """Return the state x of time s taken back to t < s by noise alone, as the process does that `ancestral` inverts."""
    ratio = t / s
    added = ((1 - t) ** 2 - (ratio * (1 - s)) ** 2).clamp_min(0).sqrt()
    return guide.mean + ratio * (x - guide.mean) + added * guide.fresh()
