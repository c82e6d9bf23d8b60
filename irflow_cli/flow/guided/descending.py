"""Samplers that take gradients through the network: dear in time and memory, here as baselines."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from irflow_cli.flow.guided.guidance import Guidance
from irflow_cli.flow.paths import bridge, clean_from_velocity
from irflow_cli.flow.samplers import Trajectory, Velocity

BLEND = 0.1  # share of the observation's own source where D-Flow begins
FIRST = 0.1  # length of D-Flow's first step, in units of its gradient's size per value


def ot_ode(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Add to the velocity the gradient of the observation's likelihood, taken through the network.

    OT-ODE (arXiv 2310.04432, algorithm 1). weight: the power p of gamma = (t / (t^2 + (1 - t)^2))^p, which scales the
    gradient: 0 is the paper's constant gamma and the usual one, 0.5 its gamma_t. For a normal prior as wide as the source
    constant gamma draws from the posterior, gamma_t only from one without noise. nfe = N, each with a backward pass, at two to
    three times the cost. Where t = 0 there is no correction yet.
    """
    observation, power = guide.observation, guide.chosen(0.0)
    for t, s in itertools.pairwise(times):
        with torch.enable_grad():
            state = x.detach().clone().requires_grad_()
            slope = velocity(state, t)
            end = clean_from_velocity(state, slope, t)
            spread = (1 - t) ** 2 / (t**2 + (1 - t) ** 2) + guide.sigma**2
            residual = observation.project(observation.picture - end.detach()) / spread
            vjp = torch.autograd.grad(end, state, residual)[0]
        gamma = (t / (t**2 + (1 - t) ** 2)) ** power
        guidance_scale = gamma * (1 - t) / t if float(t) > 0 else 0.0
        x = x + (s - t) * (slope.detach() + guidance_scale * vjp)
    steps = len(times) - 1
    return Trajectory(guide.projected(x, 1.0), steps, steps)


def flow_priors(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Before every step, climb C times to a likelier state whose next one agrees with the observation brought to that time.

    Flow-Priors (arXiv 2405.18816, algorithm 1): Adam with rate 0.01, the change of density by one draw of Hutchinson's
    estimate, the density of the state by its score. weight: lambda, of the squared miss; usual is 1 / (2 sigma^2), at most
    10,000 (the paper has 100 to 10,000). nfe = N (C + 1); C of a step's calls need two backward passes.
    """
    observation, nfe = guide.observation, 0
    weight = guide.chosen(min(1e4, 1 / (2 * max(guide.sigma, 1e-6) ** 2)))
    begin, start = (x - guide.mean) / guide.deviation, times[0]
    picture = (observation.picture - guide.mean) / guide.deviation
    path, state = _standard(velocity, guide), begin
    for t, s in itertools.pairwise(times):
        aim = bridge(begin, start, picture, s)
        state = state.detach().clone().requires_grad_()
        climb = torch.optim.Adam([state], lr=0.01)
        for _ in range(guide.corrections):
            with torch.enable_grad():
                slope = path(state, t)
                probe = guide.fresh() / guide.deviation
                spread = (probe * torch.autograd.grad(slope, state, probe, create_graph=True)[0]).sum()
                residual = observation.project(state + (s - t) * slope - aim).square().sum()
                loss = weight * residual + (s - t) * spread
                state.grad = torch.autograd.grad(loss, state)[0] + (state - t * slope).detach() / (1 - t)
            climb.step()
            nfe += 1
        state = state.detach()
        state = state + (s - t) * path(state, t)
        nfe += 1
    return Trajectory(guide.projected(guide.mean + guide.deviation * state, 1.0), len(times) - 1, nfe)


def d_flow(velocity: Velocity, x: Tensor, times: Tensor, guide: Guidance) -> Trajectory:
    """Descend C times to a source whose whole trajectory ends in agreement with the observation; return the end of that
    trajectory.

    D-Flow (arXiv 2402.14017): the trajectory is the midpoint rule's, the source begins as that of the observation itself with
    nine parts of noise, x, and its norm is kept likely. weight: lambda, of that; usual is 2 sigma^2, at least 0.001 as in the
    comparisons of PnP-Flow and Restora-Flow. The descent is that of Barzilai and Borwein, each picture with its own step, in
    place of L-BFGS, whose line search would let pictures of a batch depend on each other; the best source seen is kept.
    nfe = N + 2 N (C + 1), 2 N C of them with a backward pass through the whole trajectory at once.
    """
    observation, path = guide.observation, _standard(velocity, guide)
    spans, weight = list(itertools.pairwise(times)), guide.chosen(max(1e-3, 2 * guide.sigma**2))
    picture = (observation.picture - guide.mean) / guide.deviation
    goal = observation.project(picture)

    def end_of(source: Tensor) -> Tensor:
        for t, s in spans:
            middle = source + (s - t) / 2 * path(source, t)
            source = source + (s - t) * path(middle, (t + s) / 2)
        return source

    def objective(source: Tensor) -> Tensor:
        norm = source.flatten(1).norm(dim=1)
        likely = norm.square() / 2 - (source[0].numel() - 1) * (norm + 1e-5).log()
        return (observation.project(end_of(source)) - goal).flatten(1).square().sum(1) + weight * likely

    back = observation.projected(torch.zeros_like(x), picture)
    for t, s in reversed(spans):
        back = back - (s - t) * path(back, t)
    source = BLEND**0.5 * back + (1 - BLEND) ** 0.5 * (x - guide.mean) / guide.deviation
    source = _descent(objective, source, guide.corrections)
    end = guide.mean + guide.deviation * end_of(source)
    return Trajectory(guide.projected(end, 1.0), len(spans), len(spans) * (2 * guide.corrections + 3))


def _standard(velocity: Velocity, guide: Guidance) -> Velocity:
    """Return the field of states in which the source is standard normal."""
    return lambda state, t: velocity(guide.mean + guide.deviation * state, t) / guide.deviation


def _descent(objective: Callable[[Tensor], Tensor], point: Tensor, rounds: int) -> Tensor:
    """Return the best of `rounds` points (B, ...) of a descent on an objective (B,), by the steps of Barzilai and Borwein."""
    best, least, before = point, None, None

    def across(values: Tensor) -> Tensor:
        return values.flatten(1).sum(1).reshape(-1, *[1] * (values.ndim - 1))

    for _ in range(rounds):
        with torch.enable_grad():
            place = point.detach().clone().requires_grad_()
            value = objective(place)
            slope = torch.autograd.grad(value.sum(), place)[0]
        value, place = value.detach(), place.detach()
        better = torch.ones_like(value, dtype=torch.bool) if least is None else value < least
        least = value if least is None else torch.where(better, value, least)
        best = torch.where(better.reshape(-1, *[1] * (point.ndim - 1)), place, best)
        if before is None:
            size = FIRST / across(slope.square()).div(slope[0].numel()).sqrt().clamp_min(1e-12)
        else:
            moved, turned = place - before[0], slope - before[1]
            size = across(moved.square()) / across(moved * turned).abs().clamp_min(1e-12)
        before = place, slope
        point = place - size * slope
    return best
