"""How pictures are restored and samples drawn, with every default. No torch here, so that the command line can read them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from irflow_cli.errors import UsageError, require
from irflow_cli.kinds import check_kinds
from irflow_cli.tasks import RESTORED, TASKS, TaskSpec, task_of

FULL_SCALE = 255.0  # of the scale on which noise is given
MOST_STEPS = 10_000  # and corrections; a hundred times what the slowest published sampler takes
RELEASED_RULE = "restora-denoise"  # a sampler of the prior: Euler's, begun where Restora-Flow's released code begins
SCALE, OPERATOR = 2, "area"  # how much `upscale` enlarges, and how its pictures were made smaller


def _auto_or(variable: str) -> Any:
    """Return a field whose default is the value of a variable of the environment, or, where that is empty, too, auto."""
    return field(default_factory=lambda: os.environ.get(variable) or "auto")


@dataclass(frozen=True)
class RestoreSettings:
    """How to restore. None means the task's own default.

    method: flow, a network trained for the task, or prior (denoise), one that knows photographs and no task.
    sigma: noise of the picture on the 0-255 scale (None: estimated); for networks of irflow's a hint, which counts as far as
    the picture bears it out (`engines.restorer.BELIEVED`); 0: none, whatever is found. strength: 0 the input, 1 the result, 2
    as much again.
    texture: more steps, where a task has more texture to give by them (denoise). ensemble: mean over the
    eight mirrorings and turns, at eight times the cost; None for two of them where one step takes out strong white
    noise (`TaskSpec.twice`), False for none. tile: pixels, 0 for the whole picture at once, None for auto. batch:
    how many pictures of one size share a call of the network at most, and no more than fill a tile; None for 16, but 1 on a
    CPU, where a picture's last bits then do not depend on what shares its batch. device, engine, precision: where and by what
    the network is computed, see `engines.backends`; the variables IRFLOW_DEVICE, IRFLOW_ENGINE and IRFLOW_PRECISION, or auto.
    """

    task: str
    steps: int | None = None
    grid: str | None = None
    sampler: str | None = None
    sigma: float | None = None
    strength: float = 1.0
    ensemble: bool | None = None
    tile: int | None = None
    overlap: int = 32
    device: str = _auto_or("IRFLOW_DEVICE")
    engine: str = _auto_or("IRFLOW_ENGINE")
    precision: str = _auto_or("IRFLOW_PRECISION")
    seed: int = 0
    checkpoint: str | None = None
    method: str = "flow"
    batch: int | None = None
    texture: bool = False

    @property
    def sigma_limit(self) -> float | None:
        """The most noise that can be given, 0-255 scale; None where noise has no meaning."""
        return FULL_SCALE if self.method == "prior" else task_of(self.task).sigma_max

    @property
    def trained_for(self) -> TaskSpec:
        """The task whose checkpoint is used."""
        return task_of("prior" if self.method == "prior" else self.task)

    def check(self) -> None:
        """Raise UsageError, in one line, for the first setting that makes no sense."""
        check_kinds(self)
        if task_of(self.task).prior:
            raise UsageError("`task` prior: a prior is for inpaint and upscale, or for `task` denoise with `method` prior")
        if self.task not in TASKS and not self.checkpoint:
            own = "" if self.task in TASKS else "; one of your own needs its `checkpoint`"
            raise UsageError(f"unknown `task` {self.task!r}; there are {', '.join(RESTORED)}{own}")
        from irflow_cli.engines import backends
        from irflow_cli.flow.samplers import SAMPLERS
        from irflow_cli.flow.times import GRIDS

        samplers = (*SAMPLERS, RELEASED_RULE)
        tile = self.tile or 2 * self.overlap
        require(self.method in ("flow", "prior"), f"`method` is flow or prior, got {self.method!r}")
        require(self.method == "flow" or self.task == "denoise", "`method` prior is for `task` denoise; leave it out")
        require(self.steps is None or 1 <= self.steps <= MOST_STEPS, f"`steps` go from 1 to {MOST_STEPS}, got {self.steps}")
        require(self.grid is None or self.grid in GRIDS, f"unknown `grid` {self.grid!r}; there are {', '.join(GRIDS)}")
        require((self.sampler or "euler") in samplers, f"unknown `sampler` {self.sampler!r}; there are {', '.join(samplers)}")
        require(
            self.sampler != RELEASED_RULE or self.method == "prior",
            f"`sampler` {RELEASED_RULE} goes with `method` prior; add that, or take {' or '.join(SAMPLERS)}",
        )
        limit = self.sigma_limit
        require(self.sigma is None or limit is not None, f"`sigma` has no meaning for {self.task}; leave it out")
        check_sigma(self.sigma, FULL_SCALE if self.checkpoint else limit)  # a network of one's own knows its own
        backends.check(self.engine, self.precision)
        require(0 <= self.strength <= 2, f"`strength` goes from 0 to 2, got {self.strength}")
        textured = task_of(self.task).textured
        require(not self.texture or textured is not None, f"{self.task} gains no texture by more steps; leave `texture` out")
        require(not self.texture or self.steps is None, "`texture` is a number of steps; give it or `steps`")
        require(self.tile in (None, 0) or self.tile >= 64, f"`tile` must be 0 or at least 64, got {self.tile}")
        require(self.batch is None or self.batch >= 1, f"`batch` must be at least 1, got {self.batch}")
        require(0 <= self.overlap <= 128, f"`overlap` must be from 0 to 128, got {self.overlap}")
        require(2 * self.overlap <= tile, f"`overlap` may be half of `tile` at most, got {self.overlap} and {tile}")
        require(
            bool(self.checkpoint or self.trained_for.checkpoint),
            f"task {self.task} has no shipped checkpoint; give `checkpoint`",
        )


def check_sigma(sigma: float | None, limit: float | None) -> None:
    """Raise UsageError for noise that a network does not know, whose most is `limit` (0-255 scale)."""
    require(
        sigma is None or 0 <= sigma <= (limit or 0),
        f"`sigma` goes from 0 to {limit or 0:g}, got {sigma}; leave it out to have it estimated",
    )


@dataclass(frozen=True)
class Schedule:
    """How a trajectory is sampled: which sampler, how many steps and corrections, and when it begins and stops.

    start: a trajectory begins at time 0 in noise, or later in a guess brought to that time. stop: from there the last step
    goes to the end; None: all steps are equal. pyramid: a deep hole begins in what is found at half the size, and there
    too, as often as the hole is deep; of a trajectory that begins later this replaces the cheap guess. still:
    a guess is brought to `start` with the mean of the noise, not with a draw. exemplar:
    the wide parts of a hole are copied from the rest of the picture. spared: share of the picture, drawn from the seed, that
    is not copied from then. scattered: the steps where what is missing are single pixels, close to known ones. weight: the
    sampler's own number, of `Guidance`. views: the result is the mean of those for so many views of the picture, turned and
    mirrored (`engines.views`), from the smallest size on; without a pyramid that of every answer of the network.
    """

    sampler: str
    steps: int
    corrections: int = 0
    start: float = 0.0
    pyramid: bool = False
    still: bool = False
    stop: float | None = None
    exemplar: bool = False
    spared: float = 0.0
    scattered: int | None = None
    weight: float | None = None
    views: int = 1

    @property
    def draws(self) -> bool:
        """Whether trajectories of other seeds end elsewhere: one step of `pixelwise` from t = 0 is a mean, and `hqs` draws
        nothing."""
        return self.sampler != "hqs" and (self.sampler, self.steps, self.start) != ("pixelwise", 1, 0)


# By what is observed: "pixels" are missing, and the prior knows the time of each; they are, and it does not ("noisy"); only
# "means" are known, and the prior has learned to enlarge; they are, and it has not ("noisy means").
PRESETS: dict[str, dict[str, Schedule]] = {
    "fast": {
        "pixels": Schedule("pixelwise", 1),
        "noisy": Schedule("hqs", 4, 0, 0.8),
        "means": Schedule("hqs", 1, 0, 0.85),
        "noisy means": Schedule("hqs", 1, 0, 0.9),
    },
    "auto": {
        "pixels": Schedule("pixelwise", 1, pyramid=True, exemplar=True),
        "noisy": Schedule("pnp", 8, 1, 0.2, exemplar=True),
        "means": Schedule("hqs", 1, 0, 0.85),
        "noisy means": Schedule("hqs", 4, 0, 0.8),
    },
    "smooth": {
        "pixels": Schedule("pixelwise", 1, pyramid=True, views=4),
        "noisy": Schedule("pnp", 8, 1, 0.2),
        "means": Schedule("hqs", 1, 0, 0.85, views=4),
        "noisy means": Schedule("hqs", 8, 0, 0.7),
    },
    "varied": {
        "pixels": Schedule("pixelwise", 4, 0, 0.3, pyramid=True, exemplar=True, spared=0.5),
        "noisy": Schedule("restora", 32, 1, 0.1, exemplar=True, spared=0.5),
        **dict.fromkeys(("means", "noisy means"), Schedule("restora", 32, 1, 0.1)),
    },
    "texture": {
        "pixels": Schedule("pixelwise", 8, 0, 0.4, pyramid=True),
        "noisy": Schedule("restora", 32, 1, 0.1),
        "means": Schedule("hqs", 2, 0, 0.85),
        "noisy means": Schedule("pnp", 8, 1, 0.7),
    },
    "paper": {  # as released: 64 steps for boxes, 128 for random pixels and twice the size
        **dict.fromkeys(("pixels", "noisy"), Schedule("restora", 64, 1, scattered=128)),
        **dict.fromkeys(("means", "noisy means"), Schedule("restora", 128, 1)),
    },
}
USUAL = "auto"
FILLING = ("fast", "auto", "smooth", "varied", "texture", "paper")  # what there is for holes
ENLARGING = ("auto", "smooth", "texture", "paper")


@dataclass(frozen=True)
class SamplerSettings:
    """How to sample. preset: a row of PRESETS, None for the usual one; what else is not None replaces its entry. sigma:
    noise of what is known, 0-255 scale, that is not to be believed to the last. device, engine, precision: as in
    `RestoreSettings`."""

    preset: str | None = None
    sampler: str | None = None
    steps: int | None = None
    corrections: int | None = None
    start: float | None = None
    stop: float | None = None
    weight: float | None = None
    sigma: float = 0.0
    device: str = _auto_or("IRFLOW_DEVICE")
    engine: str = _auto_or("IRFLOW_ENGINE")
    precision: str = _auto_or("IRFLOW_PRECISION")
    seed: int = 0
    checkpoint: str | None = None

    def schedule(self, kind: str) -> Schedule:
        """Return the preset's schedule for what is observed, a column of PRESETS, with what was set."""
        from irflow_cli.flow.guided import CORRECTED

        given = {name: getattr(self, name) for name in ("sampler", "steps", "corrections", "start", "stop", "weight")}
        row = PRESETS[self.preset or USUAL]
        base = row[kind]
        if self.sampler not in (None, base.sampler):
            if kind == "pixels":  # others than `pixelwise` find nothing in one step from nothing, and `hqs` has to begin late
                base = PRESETS["fast"]["noisy"] if self.sampler == "hqs" else row["noisy"]
            base = replace(base, corrections=int(self.sampler in CORRECTED))
        base = base if self.steps is None else replace(base, scattered=None)
        return replace(base, **{name: value for name, value in given.items() if value is not None})

    def check(self, presets: Sequence[str] = ()) -> None:
        """Raise UsageError, in one line, for the first setting that makes no sense. presets: those that go here; all of
        PRESETS if none are named."""
        from irflow_cli.engines import backends

        check_kinds(self)
        backends.check(self.engine, self.precision)
        allowed = presets or tuple(PRESETS)
        require(self.preset in (None, *allowed), f"unknown `preset` {self.preset!r}; there are {', '.join(allowed)}")
        known = offered()
        require(self.sampler in (None, *known), f"unknown `sampler` {self.sampler!r}; there are {', '.join(known)}")
        require(self.steps is None or 1 <= self.steps <= MOST_STEPS, f"`steps` go from 1 to {MOST_STEPS}, got {self.steps}")
        require(0 <= (self.corrections or 0) <= MOST_STEPS, f"`corrections` go from 0 to {MOST_STEPS}, got {self.corrections}")
        require(self.start is None or 0 <= self.start < 1, f"`start` must be from 0 to below 1, got {self.start}")
        require(self.stop is None or 0 < self.stop < 1, f"`stop` must be above 0 and below 1, got {self.stop}")
        require(0 <= self.sigma <= FULL_SCALE, f"`sigma` goes from 0 to {FULL_SCALE:g}, got {self.sigma}")


def offered() -> tuple[str, ...]:
    """Return the names of the guided samplers that pictures can be sampled with."""
    from irflow_cli.flow.guided import GUIDED

    return tuple(name for name in GUIDED if name != RELEASED_RULE)  # that one needs to know every pixel
