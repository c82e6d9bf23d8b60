"""The request of a training run, checked before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irflow_cli.errors import CheckpointError, UsageError, require
from irflow_cli.kinds import check_kinds
from irflow_cli.tasks import NAME, TASKS, task_of

if TYPE_CHECKING:
    from irflow_cli.nets import Spec
    from irflow_cli.runtime.checkpoints import Card

STATE = "state.safetensors"  # of a run: all that is needed to go on
LAST = "last.safetensors"  # the averaged weights as they are now: where a run minimises something else, its end may be better
PRIVATE = ("data", "out", "rain_layers", "init", "resume", "spec", "device")  # what the recipe on the card leaves out
FREE = (
    "minutes",
    "iterations",
    "decay",
    "validate_every",
    "save_minutes",
    "compile",
    "tensorboard",
    "size",
    "accumulate",
)  # what may change on `resume`


@dataclass(frozen=True)
class TrainRequest:
    """A training run. Times in minutes; `rate` is AdamW's (Muon's is three times it); `decay` is the share of the run in
    which the rate falls to zero; `batch` crops at a time, `accumulate` times an iteration,
    drawn `prefetch` iterations at once; `at_start` the share of a batch at
    the start of the path, 0 for the paper's uniform times; `self_conditioned`: the others stand on the network's own way to
    its own estimate, not on the way to the clean picture; `known`: of a prior, the share of pictures of which a part is known,
    0 for the papers' prior, all of whose pixels stand at one time; `guessed`: of a prior, the share of those whose missing
    pixels begin in what the network itself finds of them at half the size, not in nothing."""

    data: Path
    out: Path
    task: str
    size: str | None = None
    spec: Spec | None = None
    init: str | None = None
    rain_layers: Path | None = None
    minutes: float | None = None
    iterations: int | None = None
    batch: int = 16
    accumulate: int = 1
    prefetch: int = 1
    crop: int = 128
    rate: float = 1e-3
    warmup: int = 200
    decay: float = 0.0
    distance: str = "charbonnier"
    optimiser: str = "muon"
    at_start: float = 0.7
    self_conditioned: bool = False
    condition: bool = False
    known: float = 0.8
    guessed: float = 0.6
    consistency: float = 0.3
    consistency_every: int = 16
    validate_every: int = 500
    save_minutes: float = 2.0
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    tensorboard: bool = False
    resume: bool = False

    @property
    def guesses(self) -> float:
        """The share of pictures with holes whose missing pixels begin in a guess; 0 where no holes are drawn."""
        return self.guessed if task_of(self.task).prior and self.known else 0.0


def recipe_of(name: str) -> Card:
    """Return the card of a checkpoint whose run is to be done again. Raises CheckpointError for one that says nothing of it."""
    from irflow_cli.runtime.checkpoints import load_checkpoint

    card = load_checkpoint(name).card
    if "recipe" not in card.trained:
        raise CheckpointError(f"{name} does not say how it was trained; give another `recipe`")
    return card


def options_of_run(run: Path | None, recipe: Card | None) -> tuple[dict[str, Any], ...]:
    """Return the options that the run in a folder was begun with, and those on a card, as far as they are asked for; and the
    network of each. Raises CheckpointError where there are none."""
    from irflow_cli.runtime.checkpoints import read_card
    from irflow_cli.training.state import resuming

    begun = [] if recipe is None else [_options_on(recipe)]
    if run is not None:
        with resuming(run / STATE):
            begun.append(_options_on(read_card(run / STATE)))
    return tuple(begun)


def _options_on(card: Card) -> dict[str, Any]:
    return {**card.trained["recipe"], "task": card.task, "spec": card.spec}


def unlike(recipe: Card, request: TrainRequest) -> list[str]:
    """Return what a request lacks of the run on a card, in words: what lies in files, which no card can hold."""
    lacking = []
    if recipe.trained.get("rain_layers") and request.rain_layers is None:
        lacking.append("that run had layers of rain, too; give `rain_layers`")
    if recipe.trained.get("started_from") and request.init is None and not request.resume:
        lacking.append("that run went on with other weights, this one begins with none; give `init`")
    return lacking


def request_of(values: dict[str, Any], given: set[str], *begun: dict[str, Any]) -> TrainRequest:
    """Return a request of `values`, in which what was not `given` is as the runs `begun` had it; later ones count before
    earlier ones.

    Raises UsageError when the pictures, the folder of the run or the task is not said.
    """
    names = {field.name for field in fields(TrainRequest)}
    for options in begun:
        values = values | {
            key: value for key, value in options.items() if key in names and key not in given | {"minutes", "iterations"}
        }
        if "size" in given or values["task"] != options.get("task", values["task"]):  # of another task is another network
            values["spec"] = None
    for name, what in (
        ("data", "a folder of pictures"),
        ("out", "`output`, the folder of the run"),
        ("task", f"`task`: {', '.join(TASKS)}, or a name of your own for pairs in clean/ and degraded/"),
    ):
        if values.get(name) is None:
            raise UsageError(f"give {what}")
    paths = {name: None if values.get(name) is None else Path(values[name]) for name in ("data", "out", "rain_layers")}
    return TrainRequest(**{**values, **paths})


def check(request: TrainRequest) -> None:
    """Raise UsageError for a request that cannot be trained."""
    check_kinds(request)
    from irflow_cli.flow.losses import DISTANCES
    from irflow_cli.nets import SIZES
    from irflow_cli.training.pairs import has_pairs
    from irflow_cli.training.sampling import PARTS

    require(NAME.fullmatch(request.task), f"`task` {request.task!r} is no name; use small letters, digits and hyphens")
    require(request.data.is_dir(), f"there is no folder {request.data}")
    require(
        request.task in TASKS or has_pairs(request.data),
        f"unknown `task` {request.task!r}; there are {', '.join(TASKS)}, and for one of your own give a folder with clean/ and "
        "degraded/, or another layout of pairs that irflow knows",
    )
    require(request.minutes is not None or request.iterations is not None, "give `minutes` or `iterations`")
    require(request.minutes is None or request.minutes > 0, "`minutes` must be above 0")
    require(request.iterations is None or request.iterations > 0, "`iterations` must be above 0")
    require(request.batch > 0 and request.crop >= 16, "`batch` and `crop` must be above 0 (crops at least 16)")
    require(request.accumulate > 0 and request.prefetch > 0, "`accumulate` and `prefetch` must be above 0")
    require(request.distance in DISTANCES, f"`distance` is one of {', '.join(DISTANCES)}")
    require(request.optimiser in ("muon", "adamw"), "`optimiser` is muon or adamw")
    require(request.size is None or request.size in SIZES, f"`size` is one of {', '.join(SIZES)}")
    require(request.precision in ("auto", "fp32", "bf16"), "`precision` of training is auto, fp32 or bf16")
    require(0 < request.rate < math.inf, "`rate` must be above 0, and no infinity")
    require(request.warmup >= 0, "`warmup` must be 0 or more")
    require(0 <= request.decay <= 1, "`decay` is a share between 0 and 1")
    require(0 <= request.at_start <= 1, "`at_start` is a share between 0 and 1")
    require(0 <= request.known <= 1, "`known` is a share between 0 and 1")
    require(0 <= request.guessed <= 1, "`guessed` is a share between 0 and 1")
    require(0 <= request.consistency < math.inf, "`consistency` must be 0 or more, and no infinity")
    require(request.consistency_every > 0, "`consistency_every` must be above 0")
    require(request.validate_every > 0, "`validate_every` must be above 0")
    require(request.save_minutes > 0, "`save_minutes` must be above 0")
    for name in ("known", "guessed") if not task_of(request.task).prior else ():
        require(getattr(request, name) == getattr(TrainRequest, name), f"`{name}` is of a prior; leave it out")
    require(
        request.known > 0 or request.guessed == TrainRequest.guessed,
        "`guessed` has no meaning where `known` is 0; leave it out",
    )
    require(
        not task_of(request.task).prior or not (request.condition or request.self_conditioned or request.rain_layers),
        "`condition`, `self_conditioned` and `rain_layers` have no meaning for a prior; leave them out",
    )
    rainy = [task for task, parts in PARTS.items() if any(part.kind == "rain-layers" for part in parts)]
    require(
        request.rain_layers is None or (request.task in rainy and not has_pairs(request.data)),
        f"`rain_layers` lie over clean pictures of `task` {' or '.join(rainy)}, and over no pairs; leave them out",
    )
    require(
        request.rain_layers is None or request.rain_layers.is_dir(),
        f"`rain_layers` {request.rain_layers} is no folder; give one of grey pictures of rain alone",
    )
    often = request.consistency_every != TrainRequest.consistency_every
    require(request.consistency > 0 or not often, "`consistency_every` has no meaning where `consistency` is 0; leave it out")
    restoring = often or request.at_start != TrainRequest.at_start or request.consistency not in (0, TrainRequest.consistency)
    require(
        not task_of(request.task).prior or not restoring,
        "`at_start`, `consistency` and `consistency_every` have no meaning for a prior; leave them out",
    )
