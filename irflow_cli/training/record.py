"""What a training run leaves behind while it goes: its log, its state, and the best weights so far."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from irflow_cli import extras
from irflow_cli.errors import IrflowError, UsageError
from irflow_cli.regular import append_regular
from irflow_cli.runtime.checkpoints import Card, save_checkpoint
from irflow_cli.runtime.files import writing
from irflow_cli.tasks import task_of
from irflow_cli.training.options import LAST, PRIVATE, STATE, TrainRequest
from irflow_cli.training.sampling import Source
from irflow_cli.training.state import save_state
from irflow_cli.training.validation import validate

if TYPE_CHECKING:
    from irflow_cli.training.loop import Run

BEST = "best.safetensors"  # the averaged weights with the best validation so far: what ships
LOG = "log.jsonl"
OFTEN, SELDOM = 2.0, 10.0  # seconds between two reports, in the first minute and later


@dataclass(frozen=True)
class TrainProgress:
    """Where a run stands. rate: pictures per second since the last report; eta: seconds left by the nearer limit."""

    iteration: int
    progress: float
    loss: float
    rate: float
    eta: float
    psnr: float | None


class Record:
    """The bookkeeping of a run's first process: it validates, saves and reports when it is time to.

    The loss is read back from the device for a report alone, so that the device need not wait for the host.
    """

    def __init__(
        self, request: TrainRequest, run: Run, validation: list[Source], report: Callable[[TrainProgress], None]
    ) -> None:
        self.request, self.run, self.validation, self.report = request, run, validation, report
        self.score: float | None = None
        self.began = self.saved = self.reported = time.monotonic()
        self.before = run.seconds
        self.board = tensorboard_in(request.out) if request.tensorboard else None
        self._forget()

    def after(self, loss: Tensor) -> None:
        """Take note of an iteration and do what is due after it. Raises IrflowError when the run has diverged."""
        request, run = self.request, self.run
        self.losses = self.losses + loss
        validating = run.iteration % request.validate_every == 0
        if validating:
            self._validate(keep=True)
        now = time.monotonic()
        run.seconds = self.before + now - self.began
        if validating or now - self.reported > (OFTEN if now - self.began < 60 else SELDOM):
            self._report(now, self.score if validating else None)
        if now - self.saved > 60 * request.save_minutes:
            self._save()
            self.saved = now

    def end(self, *, finished: bool) -> None:
        """Validate and save for the last time. An interrupted run chooses what ships only where nothing was chosen yet.
        Raises IrflowError when the run has diverged."""
        if self.run.iteration > self.since:
            self._report(time.monotonic(), None)
        self._validate(keep=finished or self.run.best == float("-inf"))
        self._save()
        if self.board is not None:
            self.board.close()

    def _validate(self, *, keep: bool) -> None:
        self.score = validate(self.run.averaged, self.validation, self.request.guesses)
        if not math.isfinite(self.score):
            raise self._diverged("PSNR", self.score)
        if keep and self.score >= self.run.best:
            self.run.best = self.score
            self._keep(BEST)

    def _save(self) -> None:
        save_state(self.run, self.request.out / STATE, card_of(self.request, self.run, self.score))
        self._keep(LAST)

    def _keep(self, name: str) -> None:
        save_checkpoint(self.request.out / name, self.run.averaged.state_dict(), card_of(self.request, self.run, self.score))

    def _report(self, now: float, score: float | None) -> None:
        request, run = self.request, self.run
        count = run.iteration - self.since
        mean = float(self.losses) / count
        if not math.isfinite(mean):
            raise self._diverged("loss", mean)
        pictures = count * request.batch * request.accumulate * run.group.size
        share = progress_of(request, run)
        eta = run.seconds * (1 - share) / share if share else float("inf")
        progress = TrainProgress(run.iteration, share, mean, pictures / max(now - self.reported, 1e-9), eta, score)
        with writing(request.out / LOG), append_regular(request.out / LOG) as file:
            file.write(json.dumps(asdict(progress)).encode() + b"\n")
        if self.board is not None:
            for name in ("loss", "rate", "psnr"):
                if (value := getattr(progress, name)) is not None:
                    self.board.add_scalar(name, value, run.iteration)
        self.report(progress)
        self.reported = now
        self._forget()

    def _diverged(self, what: str, value: float) -> IrflowError:
        told = f"the run diverged by iteration {self.run.iteration}: its {what} is {value}"
        return IrflowError(f"{told}; begin again with another `output` and a lower `rate`")

    def _forget(self) -> None:
        self.since, self.losses = self.run.iteration, torch.zeros((), device=self.run.device)


def tensorboard_in(folder: Path) -> Any:
    """Return what writes scalars for TensorBoard below a run's folder. Raises UsageError where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError(f"TensorBoard is not installed; {extras.hint('tensorboard')}") from None
    return SummaryWriter(str(folder / "tensorboard"))


def progress_of(request: TrainRequest, run: Run) -> float:
    """Return how much of a run is done, by the nearer of its limits."""
    by_time = run.seconds / 60 / request.minutes if request.minutes else 0.0
    by_count = run.iteration / request.iterations if request.iterations else 0.0
    return max(by_time, by_count)


def card_of(request: TrainRequest, run: Run, score: float | None) -> Card:
    """Return the card of a run's weights as they are now; those that began as others have the others' licence and pictures."""
    recipe = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(request).items()}
    recipe = {key: value for key, value in recipe.items() if key not in PRIVATE}
    trained = {
        "data": request.data.name,
        "rain_layers": request.rain_layers is not None,
        "iterations": run.iteration,
        "minutes": round(run.seconds / 60, 1),
        "processes": run.group.size,
        "device": run.device.type,
        "recipe": recipe,
        **run.origin.trained,
    }
    scores = {} if score is None else {"validation_psnr": round(score, 3)}
    sigma_max = task_of(request.task).sigma_max
    return Card(request.task, run.spec, sigma_max, trained=trained, scores=scores, licence=run.origin.licence)
