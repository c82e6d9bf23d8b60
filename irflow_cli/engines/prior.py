"""A prior at work: a checkpoint, a guided sampler and its settings, applied to states of any size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.engines.fields import velocity_of
from irflow_cli.engines.tiling import SMALLEST, windowed
from irflow_cli.errors import CheckpointError, DeviceError, ImageError, UsageError, require
from irflow_cli.flow.guided import GUIDED, Guidance
from irflow_cli.flow.observations import Observation, unit_noise
from irflow_cli.flow.paths import interpolate
from irflow_cli.flow.samplers import Trajectory
from irflow_cli.flow.times import make_times
from irflow_cli.nets.unet import MIDDLE_GREY
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint
from irflow_cli.runtime.device import autocast, choose_device, choose_precision, out_of_memory
from irflow_cli.tasks import TASKS

CORRECTED = ("restora", "pnp")
OFFERED = tuple(name for name in GUIDED if name != "restora-denoise")  # that one needs to know every pixel
WINDOW, SHARED = 448, 64  # pixels of a window's side on large states, and of what neighbours share


@dataclass(frozen=True)
class Schedule:
    """How a trajectory is sampled: which sampler, how many steps and corrections, and when it begins and stops.

    start: a trajectory begins at time 0 in noise, or later in a guess brought to that time. stop: from there the last step
    goes to the end; None: all steps are equal. pyramid: deep in a hole what is found at half the size is taken, and there too,
    as often as the hole is deep; of a trajectory that begins later this is the guess, which is a cheap one else.
    """

    sampler: str
    steps: int
    corrections: int = 0
    start: float = 0.0
    pyramid: bool = False
    stop: float | None = None


# By what is observed: "pixels" are missing, and the prior knows the time of each; they are, and it does not ("noisy"); or only
# "means" are known.
PRESETS: dict[str, dict[str, Schedule]] = {
    "fast": {"pixels": Schedule("pixelwise", 1), "noisy": Schedule("hqs", 4, 0, 0.8), "means": Schedule("hqs", 1, 0, 0.9)},
    "default": {
        "pixels": Schedule("pixelwise", 1, pyramid=True),
        "noisy": Schedule("pnp", 8, 1, 0.2),
        "means": Schedule("hqs", 4, 0, 0.8),
    },
    "best": {
        "pixels": Schedule("pixelwise", 4, 0, 0.3, pyramid=True),
        "noisy": Schedule("restora", 32, 1, 0.1),
        "means": Schedule("hqs", 12, 0, 0.5),
    },
    "paper": dict.fromkeys(("pixels", "noisy", "means"), Schedule("restora", 64, 1)),
}


@dataclass(frozen=True)
class SamplerSettings:
    """How to sample. preset: a row of PRESETS, None for the usual one; what else is not None replaces its entry."""

    preset: str | None = None
    sampler: str | None = None
    steps: int | None = None
    corrections: int | None = None
    start: float | None = None
    stop: float | None = None
    device: str = "auto"
    precision: str = "auto"
    seed: int = 0
    checkpoint: str | None = None

    def schedule(self, kind: str) -> Schedule:
        """Return the preset's schedule for what is observed, a column of PRESETS, with what was set."""
        given = {name: getattr(self, name) for name in ("sampler", "steps", "corrections", "start", "stop")}
        row = PRESETS[self.preset or "default"]
        base = row[kind]
        if self.sampler not in (None, base.sampler):
            if kind == "pixels":  # others than `pixelwise` find nothing in one step from nothing, and `hqs` has to begin late
                base = PRESETS["fast"]["noisy"] if self.sampler == "hqs" else row["noisy"]
            base = replace(base, corrections=int(self.sampler in CORRECTED))
        return replace(base, **{name: value for name, value in given.items() if value is not None})

    def check(self) -> None:
        """Raise UsageError, in one line, for the first setting that makes no sense."""
        if self.preset not in (None, *PRESETS):
            raise UsageError(f"unknown preset {self.preset!r}; there are {', '.join(PRESETS)}")
        require(self.sampler in (None, *OFFERED), f"unknown sampler {self.sampler!r}; there are {', '.join(OFFERED)}")
        require(self.steps is None or self.steps >= 1, f"`steps` must be at least 1, got {self.steps}")
        require(self.corrections is None or self.corrections >= 0, f"`corrections` must be at least 0, got {self.corrections}")
        require(self.start is None or 0 <= self.start < 1, f"`start` must be from 0 to below 1, got {self.start}")
        require(self.stop is None or 0 < self.stop < 1, f"`stop` must be above 0 and below 1, got {self.stop}")


class Prior:
    """A prior's network, loaded once, and the trajectory it is used for. kind: "pixels" or "means", what its observations
    know."""

    def __init__(self, settings: SamplerSettings, kind: str, checkpoint: Checkpoint | None = None) -> None:
        settings.check()
        self.settings = settings
        self.device = choose_device(settings.device)
        self.dtype = choose_precision(settings.precision, self.device)
        self.checkpoint = checkpoint or load_checkpoint(settings.checkpoint or str(TASKS["prior"].checkpoint))
        if self.checkpoint.card.task != "prior":
            raise CheckpointError(
                f"{self.checkpoint.path} was trained for {self.checkpoint.card.task}; this needs a prior: leave "
                "`checkpoint` out, or train a prior"
            )
        self.net = self.checkpoint.net.to(self.device)
        timed = self.net.contract.time_map
        self.schedule = settings.schedule("noisy" if kind == "pixels" and not timed else kind)
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
        if settings.corrections and self.schedule.steps < 2:
            raise UsageError("`corrections` come between steps, and there is one; raise `steps` or leave them out")
        known = self.net.contract.size
        window, shared = (known, known // 4) if known else (WINDOW, SHARED)
        self.windows = window, shared, self.net.contract.multiple
        self.evaluated = self.worked = 0  # pixels that the network saw, each time it did; pixels that were worked on

    @property
    def draws(self) -> bool:
        """Whether trajectories of other seeds end elsewhere: one step of `pixelwise` from t = 0 is a mean, and `hqs` draws
        nothing."""
        schedule = self.schedule
        return schedule.sampler != "hqs" and (schedule.sampler, schedule.steps, schedule.start) != ("pixelwise", 1, 0)

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
        schedule = chosen or self.schedule
        velocity = velocity_of(self.net)
        shape = observation.picture.shape

        def field(x: Tensor, t: Tensor) -> Tensor:
            with autocast(self.device, self.dtype):
                if t.ndim < 4:
                    return windowed(lambda part: velocity(part, t).float(), x, needed, *self.windows)
                both = torch.cat([x, t], dim=1)  # so that a window's times go with its pixels
                work = lambda part: F.pad(velocity(part[:, :3], part[:, 3:]).float(), (0, 0, 0, 0, 0, 1))  # noqa: E731
                return windowed(work, both, needed, *self.windows)[:, :3]

        def noise() -> Tensor:
            return unit_noise(shape, generators).to(self.device)

        def trajectory() -> Trajectory:
            times = make_times("uniform", schedule.steps, schedule.start, schedule.stop).float().to(self.device)
            begin = torch.full(shape, MIDDLE_GREY, device=self.device) if schedule.sampler == "hqs" else noise()
            x = begin if guess is None else interpolate(begin, guess.to(self.device), schedule.start)
            return GUIDED[schedule.sampler](field, x, times, Guidance(observation, noise, schedule.corrections, MIDDLE_GREY))

        before, dtype, windows = [generator.get_state() for generator in generators], self.dtype, self.windows
        try:
            while True:
                for generator, state in zip(generators, before, strict=True):  # every attempt has the same noise
                    generator.set_state(state)
                try:
                    with torch.no_grad():
                        done = trajectory()
                    self.evaluated += done.nfe * shape[0] * shape[2] * shape[3]
                except RuntimeError as error:
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
                if self.dtype == torch.float32:
                    raise ImageError("its result holds values that are no numbers; give another `checkpoint`")
                self.dtype = torch.float32
        finally:
            self.dtype, self.windows = dtype, windows
