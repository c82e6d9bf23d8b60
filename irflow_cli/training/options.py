"""What a training run is asked for, checked before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from irflow_cli.errors import UsageError, require
from irflow_cli.tasks import TASKS

if TYPE_CHECKING:
    from irflow_cli.nets import NetSpec

PRIVATE = ("data", "out", "rain_layers", "init", "resume", "spec", "device")  # what the recipe on the card leaves out
FREE = ("minutes", "iterations", "decay", "validate_every", "save_minutes", "compile", "size")  # what may change on `resume`


@dataclass(frozen=True)
class TrainRequest:
    """A training run. Times in minutes; `rate` is AdamW's (Muon's is three times it); `decay` is the share of the run in
    which the rate falls to zero; `at_start` the share of a batch at the start of the path; `self_conditioned`: the others
    stand on the network's own way to its own estimate, not on the way to the clean picture."""

    data: Path
    out: Path
    task: str
    size: str | None = None
    spec: NetSpec | None = None
    init: str | None = None
    rain_layers: Path | None = None
    minutes: float | None = None
    iterations: int | None = None
    batch: int = 16
    crop: int = 128
    rate: float = 1e-3
    warmup: int = 200
    decay: float = 0.0
    distance: str = "charbonnier"
    optimiser: str = "muon"
    at_start: float = 0.7
    self_conditioned: bool = False
    condition: bool = False
    consistency: float = 0.3
    consistency_every: int = 16
    validate_every: int = 500
    save_minutes: float = 2.0
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    resume: bool = False


def check(request: TrainRequest) -> None:
    """Raise UsageError for a request that cannot be trained."""
    from irflow_cli.flow.losses import DISTANCES
    from irflow_cli.nets import SIZES

    if request.task not in TASKS:
        raise UsageError(f"unknown task {request.task!r}; there are {', '.join(TASKS)}")
    require(request.minutes is not None or request.iterations is not None, "give `minutes` or `iterations`")
    require(request.minutes is None or request.minutes > 0, "`minutes` must be above 0")
    require(request.iterations is None or request.iterations > 0, "`iterations` must be above 0")
    require(request.batch > 0 and request.crop >= 16, "`batch` and `crop` must be above 0 (crops at least 16)")
    require(request.distance in DISTANCES, f"`distance` is one of {', '.join(DISTANCES)}")
    require(request.optimiser in ("muon", "adamw"), "`optimiser` is muon or adamw")
    require(request.size is None or request.size in SIZES, f"`size` is one of {', '.join(SIZES)}")
    require(request.precision in ("auto", "fp32", "bf16"), "`precision` of training is auto, fp32 or bf16")
    require(0 <= request.decay <= 1, "`decay` is a share between 0 and 1")
    require(request.data.is_dir(), f"there is no folder {request.data}")
    require(
        not TASKS[request.task].prior or not (request.condition or request.self_conditioned or request.rain_layers),
        "`condition`, `self_conditioned` and `rain_layers` have no meaning for a prior; leave them out",
    )
