"""A prior at work: a checkpoint, a guided sampler and its settings, applied to states of any size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.flow.guided import GUIDED, Guidance, nfe_of
from irflow_cli.flow.observations import Observation, unit_noise
from irflow_cli.flow.paths import interpolate
from irflow_cli.flow.samplers import Walk
from irflow_cli.flow.times import make_times
from irflow_cli.nets import PriorUNet
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint
from irflow_cli.runtime.device import autocast, choose_device, choose_precision
from irflow_cli.runtime.fields import prior_velocity
from irflow_cli.runtime.tiling import windowed
from irflow_cli.tasks import TASKS

WINDOW, SHARED = 448, 64  # pixels of a window's side on large states, and of what neighbours share


@dataclass(frozen=True)
class Preset:
    """A walk: which sampler, how many steps and corrections, and the time at which it begins. At a time above 0 it begins
    in a cheap guess brought to that time."""

    sampler: str
    steps: int
    corrections: int = 0
    start: float = 0.0

    @property
    def nfe(self) -> int:
        """Calls of the network, as `Walk` counts them."""
        return nfe_of(self.sampler, self.steps, self.corrections)


PRESETS: dict[str, Preset] = {
    "fast": Preset("pnp", 6, 1, 0.3),
    "default": Preset("pnp", 16, 1, 0.1),
    "best": Preset("restora", 32, 1, 0.1),
    "paper": Preset("restora", 64, 1),
}


@dataclass(frozen=True)
class WalkSettings:
    """How to walk. preset: a row of PRESETS; what is not None replaces its entry."""

    preset: str = "default"
    sampler: str | None = None
    steps: int | None = None
    corrections: int | None = None
    start: float | None = None
    device: str = "auto"
    precision: str = "auto"
    seed: int = 0
    checkpoint: str | None = None

    @property
    def walk(self) -> Preset:
        """The preset with what was asked for."""
        given = {name: getattr(self, name) for name in ("sampler", "steps", "corrections", "start")}
        return replace(PRESETS[self.preset], **{name: value for name, value in given.items() if value is not None})

    def check(self) -> None:
        """Raise UsageError, in one line, for the first setting that makes no sense."""
        if self.preset not in PRESETS:
            raise UsageError(f"unknown preset {self.preset!r}; there are {', '.join(PRESETS)}")
        walk = self.walk
        rules = {
            f"unknown sampler {walk.sampler!r}; there are {', '.join(GUIDED)}": walk.sampler in GUIDED,
            f"--steps must be at least 1, got {walk.steps}": walk.steps >= 1,
            f"--corrections must be at least 0, got {walk.corrections}": walk.corrections >= 0,
            f"--corrections has no meaning for {walk.sampler}; leave it out": not self.corrections
            or walk.sampler in ("restora", "pnp"),
            f"--start must be from 0 to below 1, got {walk.start}": 0 <= walk.start < 1,
        }
        for message, holds in rules.items():
            if not holds:
                raise UsageError(message)


class Prior:
    """A prior's network, loaded once, and the walk it is used for."""

    def __init__(self, settings: WalkSettings, checkpoint: Checkpoint | None = None) -> None:
        settings.check()
        self.settings, self.walk = settings, settings.walk
        self.device = choose_device(settings.device)
        self.dtype = choose_precision(settings.precision, self.device)
        self.checkpoint = checkpoint or load_checkpoint(settings.checkpoint or str(TASKS["prior"].checkpoint))
        if self.checkpoint.card.task != "prior":
            raise CheckpointError(f"{self.checkpoint.path} was trained for {self.checkpoint.card.task}; this needs a prior")
        self.net = self.checkpoint.net.to(self.device)
        self.window = self.net.size if isinstance(self.net, PriorUNet) else WINDOW
        self.shared = self.window // 4 if isinstance(self.net, PriorUNet) else SHARED
        self.multiple = self.net.multiple

    def sample(self, observation: Observation, guess: Tensor, needed: Tensor, generators: list[torch.Generator]) -> Walk:
        """Walk to pictures that agree with an observation and return them, not clipped.

        guess: (B, 3, H, W) in [0, 1], what the walk begins in when its preset starts above 0. needed: (H, W) bool, where the
        result matters. generators: one a sample; the result of one does not depend on the others.
        """
        velocity = prior_velocity(self.net)
        shape = guess.shape

        def field(x: Tensor, t: Tensor) -> Tensor:
            with autocast(self.device, self.dtype):
                work = lambda part: velocity(part, t).float()  # noqa: E731
                return windowed(work, x, needed, self.window, self.shared, self.multiple)

        def noise() -> Tensor:
            return unit_noise(shape, generators).to(self.device)

        times = make_times("uniform", self.walk.steps, self.walk.start).float()
        x = interpolate(noise(), guess.to(self.device), float(times[0]))
        guide = Guidance(observation, noise, self.walk.corrections)
        with torch.no_grad():
            return GUIDED[self.walk.sampler](field, x, times, guide)
