"""What a person asks for, as the engines want it and as one would type it: restore, inpaint, upscale."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from irflow_cli.engines.settings import ENLARGING, FILLING, OPERATOR, SCALE, RestoreSettings, SamplerSettings
from irflow_cli.errors import UsageError
from irflow_cli.tasks import MAX_PIXELS

if TYPE_CHECKING:
    from irflow_cli.engines.inpainter import Inpainter
    from irflow_cli.engines.restorer import Restorer
    from irflow_cli.engines.upscaler import Upscaler
    from irflow_cli.images.picture import Picture
    from irflow_cli.serve.bits import Bits

Progress = Callable[[float], None]  # called with the share that is done
Words = list[str]  # of a command line
PROPOSALS = 8  # of one hole, at most
KEPT = 3  # engines of a kind that stay loaded


class Engines:
    """The networks, each loaded when it is first asked for. machine: where and by what they are computed, as the settings'
    `device`, `engine` and `precision`, those that are given; max_pixels: of a result."""

    def __init__(self, machine: dict[str, Any] | None = None, max_pixels: int = MAX_PIXELS) -> None:
        self.machine, self.max_pixels = machine or {}, max_pixels

    @functools.cached_property
    def restorer(self) -> Callable[[RestoreSettings], Restorer]:
        """Return the engine that takes rain, noise or drops out."""
        from irflow_cli.engines.restorer import Restorer

        return functools.lru_cache(KEPT)(Restorer)

    @functools.cached_property
    def inpainter(self) -> Callable[[SamplerSettings], Inpainter]:
        """Return the engine that fills holes."""
        from irflow_cli.engines.inpainter import Inpainter

        return functools.lru_cache(KEPT)(Inpainter)

    @functools.cached_property
    def upscaler(self) -> Callable[[SamplerSettings, int, str], Upscaler]:
        """Return the engine that enlarges."""
        from irflow_cli.engines.upscaler import Upscaler

        return functools.lru_cache(KEPT)(Upscaler)

    def words(self) -> Words:
        """Return the options that say where the networks run, as far as they are not the usual ones."""
        words = [word for name, value in self.machine.items() if value != "auto" for word in (f"--{name}", value)]
        return words + ([] if self.max_pixels == MAX_PIXELS else ["--max-pixels", str(self.max_pixels)])


class Step(Protocol):
    """One pass over a picture. suffix: what the command adds to the name of its result."""

    @property
    def kind(self) -> str:
        """The command's name."""
        ...

    @property
    def suffix(self) -> str:
        """What the command adds to the name of the result."""
        ...

    def check(self, engines: Engines) -> None:
        """Raise UsageError for settings that make no sense."""
        ...

    def run(self, engines: Engines, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        """Return the result and notes for the person; `picture` is left as it is."""
        ...

    def words(self, source: str, mask: str) -> Words:
        """Return the command and its options, for a source and a file of its mask."""
        ...


@dataclass(frozen=True)
class Restore:
    """Take rain, noise or drops out; None is the task's own default."""

    kind: ClassVar[str] = "restore"
    task: str
    steps: int | None = None
    strength: float = 1.0
    sigma: float | None = None

    @property
    def suffix(self) -> str:
        """What the command adds to the name of the result."""
        return f".{self.task}"

    def settings(self, engines: Engines) -> RestoreSettings:
        """Return the engine's settings."""
        return RestoreSettings(self.task, self.steps, sigma=self.sigma, strength=self.strength, **engines.machine)

    def check(self, engines: Engines) -> None:
        """Raise UsageError for settings that make no sense."""
        self.settings(engines).check()

    def run(self, engines: Engines, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        """Return the restored picture and notes for the person."""
        own = picture.with_pixels(picture.pixels.copy())  # the engine writes over what it is given
        return engines.restorer(self.settings(engines)).restore(own, progress)

    def words(self, source: str, mask: str) -> Words:
        """Return the command and its options."""
        options = {"--steps": self.steps, "--strength": None if self.strength == 1 else self.strength, "--sigma": self.sigma}
        return ["restore", source, "--task", self.task, *_given(options)]


@dataclass(frozen=True)
class Inpaint:
    """Fill what a mask says is missing. size: (H, W) of the picture.
    preset, seed, dilate, feather: as the command's."""

    bits: Bits = field(repr=False)
    size: tuple[int, ...] = ()
    preset: str | None = None
    seed: int = 0
    dilate: int = 0
    feather: int = 0

    kind: ClassVar[str] = "inpaint"
    suffix: ClassVar[str] = ".inpaint"

    def sampling(self, engines: Engines) -> SamplerSettings:
        """Return the engine's settings; each call gets the seed instead, so that proposals share a network."""
        return SamplerSettings(self.preset, **engines.machine)

    def check(self, engines: Engines) -> None:
        """Raise UsageError for settings that make no sense."""
        from irflow_cli.engines.holes import check_spread

        self.sampling(engines).check(FILLING)
        check_spread(self.dilate, self.feather)

    def run(self, engines: Engines, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        """Return the picture with its hole filled, and notes for the person."""
        from irflow_cli.engines.holes import spread_hole
        from irflow_cli.engines.inpainter import remarks_on

        hole = spread_hole(self.bits.inside(self.size), self.dilate, self.feather)
        engine = engines.inpainter(self.sampling(engines))
        filled = engine.fill(picture, hole, self.seed, progress)
        return filled, (*remarks_on(picture, hole), *engine.prior.engine.remarks())

    def words(self, source: str, mask: str) -> Words:
        """Return the command and its options."""
        options = {
            "--preset": self.preset,
            "--seed": self.seed or None,
            "--mask-dilate": self.dilate or None,
            "--mask-feather": self.feather or None,
        }
        return ["inpaint", source, "--mask", mask, *_given(options)]


@dataclass(frozen=True)
class Upscale:
    """Enlarge. operator, preset, seed: as the command's."""

    kind: ClassVar[str] = "upscale"
    scale: int = SCALE
    operator: str = OPERATOR
    preset: str | None = None
    seed: int = 0

    @property
    def suffix(self) -> str:
        """What the command adds to the name of the result."""
        return f".x{self.scale}"

    def sampling(self, engines: Engines) -> SamplerSettings:
        """Return the engine's settings."""
        return SamplerSettings(self.preset, seed=self.seed, **engines.machine)

    def check(self, engines: Engines) -> None:
        """Raise UsageError for settings that make no sense."""
        from irflow_cli.engines.upscaler import check

        self.sampling(engines).check(ENLARGING)
        check(self.scale, self.operator)

    def run(self, engines: Engines, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        """Return the picture enlarged, and notes for the person."""
        from irflow_cli.engines.upscaler import remarks_on

        engine = engines.upscaler(self.sampling(engines), self.scale, self.operator)
        enlarged = engine.enlarge(picture, engines.max_pixels, progress)
        return enlarged, (*remarks_on(picture), *engine.prior.engine.remarks())

    def words(self, source: str, mask: str) -> Words:
        """Return the command and its options."""
        options = {
            "--operator": None if self.operator == "area" else self.operator,
            "--preset": self.preset,
            "--seed": self.seed or None,
        }
        return ["upscale", source, "--scale", str(self.scale), *_given(options)]


def _given(options: dict[str, object]) -> Words:
    """Return options with a value as words."""
    words = []
    for name, value in options.items():
        if value is not None:
            words += [name, str(value)]
    return words


# What the page may send, by kind: the names of fields and what they are.
FIELDS: dict[str, tuple[type, dict[str, tuple[type, ...]]]] = {
    "restore": (Restore, {"task": (str,), "steps": (int,), "strength": (int, float), "sigma": (int, float)}),
    "inpaint": (Inpaint, {"preset": (str,), "seed": (int,), "dilate": (int,), "feather": (int,)}),
    "upscale": (Upscale, {"scale": (int,), "operator": (str,), "preset": (str,), "seed": (int,)}),
}


def step_of(asked: dict[str, Any], mask: tuple[Bits, tuple[int, ...]] | None = None) -> Step:
    """Return the step that a page's message asks for; fields that are missing or None have their default. mask: that of an
    inpaint, and its size. Raises UsageError for messages that are no such."""
    kind = asked.get("kind")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise UsageError(f"unknown kind of work {kind!r}; there are {', '.join(FIELDS)}")
    made, fields = FIELDS[kind]
    given = {name: value for name, value in asked.items() if name != "kind" and value is not None}
    for name, value in given.items():
        if name not in fields:
            raise UsageError(f"{kind} has no {name}; reload the page")
        if not isinstance(value, fields[name]) or isinstance(value, bool):
            raise UsageError(f"{name} is no {' or '.join(one.__name__ for one in fields[name])}: {value!r}")
    if kind == "restore" and "task" not in given:
        raise UsageError("the task is missing; choose one")
    if kind == "inpaint":
        if mask is None:
            raise UsageError("the mask is missing; paint what is to be filled")
        given["bits"], given["size"] = mask
    return made(**given)


def proposals_of(step: Step, count: int, engines: Engines) -> list[Step]:
    """Return the steps that make so many proposals of one hole, each with its own seed; by `varied`, unless a preset is named,
    for those of the default would be almost one. Raises UsageError as `irflow inpaint --samples` does."""
    if not 1 <= count <= PROPOSALS:
        raise UsageError(f"proposals go from 1 to {PROPOSALS}, got {count}")
    if count == 1 or not isinstance(step, Inpaint):
        return [step]
    step = replace(step, preset=step.preset or "varied")
    if not step.sampling(engines).schedule("pixels").draws:
        raise UsageError(f"preset {step.preset} has one result, whatever the seed; for several proposals choose varied")
    return [replace(step, seed=step.seed + number) for number in range(count)]


def run_steps(steps: Sequence[Step], engines: Engines, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
    """Return the picture after several steps in order, and all that the user is to know."""
    notes: tuple[str, ...] = ()
    for number, step in enumerate(steps):
        picture, found = step.run(engines, picture, lambda share, done=number: progress((done + share) / len(steps)))
        notes += found
    return picture, notes
