"""A prior at work: a checkpoint, a guided sampler and its settings, applied to states of any size."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.engines.backends import open_engine
from irflow_cli.engines.fields import velocity_of
from irflow_cli.engines.settings import SamplerSettings, Schedule
from irflow_cli.engines.tiling import SMALLEST, windowed
from irflow_cli.engines.views import mean_of_views, view_of
from irflow_cli.errors import CheckpointError, DeviceError, ImageError, UsageError
from irflow_cli.flow.guided import CORRECTED, DIFFERENTIATED, GUIDED, WEIGHTED, Guidance
from irflow_cli.flow.observations import Observation, normal_noise
from irflow_cli.flow.paths import interpolate
from irflow_cli.flow.samplers import Trajectory, Velocity
from irflow_cli.flow.times import make_times
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint
from irflow_cli.runtime.device import choose_device, out_of_memory
from irflow_cli.tasks import TASKS

UNTAUGHT = {"pixels": "noisy", "means": "noisy means"}  # columns of PRESETS for priors that know whole pictures alone
WINDOW, SHARED = 448, 64  # pixels of a window's side on large states, and of what neighbours share


def scattered(known: Tensor) -> bool:
    """Return whether what is known (B or 1, 1, H, W), 0 or 1, lies among single missing pixels: nine in ten of the known pixels
    within two of a missing one have one right beside them. Around a hole, however thin, it is every second."""
    near, beside = (float((known * F.max_pool2d(1 - known, side, 1, side // 2)).sum()) for side in (5, 3))
    return beside > 0.9 * near > 0


class Prior:
    """A prior's network, loaded once, and the trajectory it is used for. kind: "pixels" or "means", what its observations
    know."""

    def __init__(self, settings: SamplerSettings, kind: str, checkpoint: Checkpoint | None = None) -> None:
        settings.check()
        self.settings = settings
        self.device = choose_device(settings.device)
        self.checkpoint = checkpoint or load_checkpoint(settings.checkpoint or str(TASKS["prior"].checkpoint))
        if self.checkpoint.card.task != "prior":
            raise CheckpointError(
                f"{self.checkpoint.path} was trained for {self.checkpoint.card.task}; this needs a prior: leave "
                "`checkpoint` out, or train a prior"
            )
        self.net = self.checkpoint.on(self.device)
        timed = self.net.contract.time_map
        recipe = self.checkpoint.card.trained.get("recipe", {})
        taught = timed and recipe.get("known") != 0  # known parts, enlarged copies
        self.enlarges = kind == "means" and taught
        self.schedule = settings.schedule(kind if taught else UNTAUGHT[kind])
        differentiated = self.schedule.sampler in DIFFERENTIATED and settings.engine not in ("auto", "torch")
        engine = "torch" if self.schedule.sampler in DIFFERENTIATED else settings.engine
        self.engine = open_engine(self.checkpoint, self.device, engine, settings.precision)
        if differentiated:
            self.engine.notes += (f"`sampler` {self.schedule.sampler} takes gradients, which torch computes",)
        if self.schedule.pyramid and recipe and not recipe.get("guessed"):
            self.engine.notes += (
                "this prior has not learned to go on from guesses, which costs deep holes up to 1 dB; train it on, with "
                "`init` and `guessed` 0.6",
            )
        if self.schedule.sampler == "pixelwise" and (kind != "pixels" or not timed):
            why = "this prior does not know times per pixel" if kind == "pixels" else "it needs known pixels, not means"
            raise UsageError(f"`sampler` pixelwise does not go here: {why}; use another, such as pnp")
        if self.schedule.stop is not None and (self.schedule.steps < 2 or self.schedule.stop <= self.schedule.start):
            raise UsageError(
                f"`stop` needs two steps and a time after `start` ({self.schedule.start:g}); raise `steps` or leave it out"
            )
        if settings.corrections and self.schedule.sampler not in CORRECTED:
            raise UsageError(
                f"`corrections` has no meaning for {self.schedule.sampler}; leave it out, or use `sampler` restora"
            )
        if settings.weight is not None and self.schedule.sampler not in WEIGHTED:
            raise UsageError(f"weight has no meaning for {self.schedule.sampler}; leave it out, or sample by bridge")
        if settings.corrections and self.schedule.steps < 2:
            raise UsageError("`corrections` come between steps, and there is one; raise `steps` or leave them out")
        known = self.net.contract.size
        window, shared = (known, known // 4) if known else (WINDOW, SHARED)
        self.windows = window, shared, self.net.contract.multiple
        self.evaluated = self.worked = 0  # pixels that the network saw, each time it did; pixels that were worked on

    def sample(
        self,
        observation: Observation,
        guess: Tensor | None,
        needed: Tensor,
        generators: list[torch.Generator],
        chosen: Schedule | None = None,
    ) -> Trajectory:
        """Sample pictures that agree with an observation and return them, not clipped.

        guess: (B, 3, H, W) in [0, 1], what the trajectory begins in when it starts above 0, else None. needed: (H, W) bool,
        where the result matters. generators: one a sample; the result of one does not depend on the others. chosen: another
        schedule than the prior's own. Where memory runs out it begins again in windows half as large. Raises DeviceError when
        that does not help.
        """
        schedule, velocity, shape = chosen or self.schedule, velocity_of(self.engine), observation.picture.shape
        if schedule.scattered and observation.known is not None and scattered(observation.known):
            schedule = replace(schedule, steps=schedule.scattered)

        def field(x: Tensor, t: Tensor) -> Tensor:
            over = x, t, needed
            return mean_of_views(lambda view: self._answer(velocity, *(view_of(one, view) for one in over)), schedule.views)

        noise = lambda: normal_noise(shape, generators, *self.net.contract.noise).to(self.device)  # noqa: E731

        def trajectory() -> Trajectory:
            times = make_times("uniform", schedule.steps, schedule.start, schedule.stop).float().to(self.device)
            still = schedule.still or schedule.sampler == "hqs"
            begin = torch.full(shape, self.net.contract.noise[0], device=self.device) if still else noise()
            x = begin if guess is None else interpolate(begin, guess.to(self.device), schedule.start)
            guide = Guidance(observation, noise, schedule.corrections, *self.net.contract.noise, schedule.weight)
            return GUIDED[schedule.sampler](field, x, times, guide)

        before, windows = [generator.get_state() for generator in generators], self.windows
        try:
            while True:
                for generator, state in zip(generators, before, strict=True):  # every attempt has the same noise
                    generator.set_state(state)
                try:
                    with torch.no_grad():
                        done = trajectory()
                    self.evaluated += done.nfe * schedule.views * shape[0] * shape[2] * shape[3]
                except Exception as error:  # engines raise their own
                    if not out_of_memory(error):
                        raise
                    window, shared, align = self.windows
                    if window < 2 * SMALLEST:
                        high, wide = shape[2:]
                        raise DeviceError(
                            f"out of memory on {wide} x {high} pixels; cut the picture, or use `device` cpu"
                        ) from None
                    self.windows = window // 2, shared // 2, align
                    continue
                if done.state.isfinite().all():
                    return done
                fewer = "fewer `steps`, another `sampler` or " if schedule.steps > 1 else ""
                raise ImageError(f"its result holds values that are no numbers; give {fewer}another `checkpoint`")
        finally:
            self.windows = windows

    def _answer(self, velocity: Velocity, x: Tensor, t: Tensor, needed: Tensor) -> Tensor:
        """Return the velocity of a state x (B, 3, H, W) at times t, in windows: (B,), or (B, 1, H, W)."""
        if t.ndim < 4:
            return windowed(lambda part: velocity(part, t), x, needed, *self.windows)
        both = torch.cat([x, t], dim=1)  # so that a window's times go with its pixels
        work = lambda part: F.pad(velocity(part[:, :3], part[:, 3:]), (0, 0, 0, 0, 0, 1))  # noqa: E731
        return windowed(work, both, needed, *self.windows)[:, :3]
