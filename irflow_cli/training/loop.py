"""Training of a residual flow (IR-Flow, arXiv 2604.19680), read top to bottom."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.flow.losses import DISTANCES, consistency_loss, residual_loss
from irflow_cli.flow.times import make_times
from irflow_cli.nets import SIZES, NetSpec, Network, build
from irflow_cli.runtime.checkpoints import Card, Checkpoint, load_checkpoint, save_checkpoint
from irflow_cli.runtime.device import autocast, choose_device, choose_precision
from irflow_cli.seeds import seed_of_number
from irflow_cli.tasks import TASKS
from irflow_cli.training.dataset import load_corpus, load_rain_layers
from irflow_cli.training.distributed import ProcessGroup, join_group
from irflow_cli.training.optimisers import lr_factor, make_optimisers, move_average
from irflow_cli.training.options import PRIVATE, TrainRequest, check
from irflow_cli.training.sampling import Source, draw_batch, draw_times
from irflow_cli.training.state import load_state, save_state
from irflow_cli.training.validation import validate, validation_pairs

STATE = "state.safetensors"  # all that is needed to go on
BEST = "best.safetensors"  # the averaged weights with the best validation so far: what ships
LOG = "log.jsonl"
Forward = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x_t, t, degraded) -> residual


@dataclass(frozen=True)
class TrainProgress:
    """Where a run stands. rate: pictures per second since the last report; eta: seconds left by the nearer limit."""

    iteration: int
    progress: float
    loss: float
    rate: float
    eta: float
    psnr: float | None


@dataclass(frozen=True)
class TrainResult:
    """What a run came to. `interrupted` is the signal's number when one ended it."""

    checkpoint: Path
    iterations: int
    psnr: float
    interrupted: int | None


class Run:
    """The moving parts of a training run."""

    def __init__(self, request: TrainRequest, device: torch.device, group: ProcessGroup | None = None) -> None:
        self.group = group or ProcessGroup()
        torch.manual_seed(request.seed)
        start = load_checkpoint(request.init) if request.init else None
        self.parent = start.card if start else None
        prior = TASKS[request.task].prior
        given = start.card.spec if start else None
        if given and not given.trainable:
            raise CheckpointError(f"{request.init} is a third-party network, which irflow does not train; begin with another")
        if start and start.net.contract.time_map and not prior:
            raise CheckpointError(f"{request.init} is a prior; `init` it for `task` prior, or begin with another")
        wanted = request.spec or (SIZES[request.size] if request.size else None)
        self.spec = wanted or (start.card.spec if start else NetSpec())
        if request.condition:
            self.spec = replace(self.spec, condition=True)
        if prior:
            self.spec = replace(self.spec, time_map=True)
        self.net = build(self.spec)
        if start:
            _graft(start, self.net)
        self.net.to(device)
        self.average = AveragedModel(self.net, multi_avg_fn=move_average, use_buffers=False)
        self.optimisers = make_optimisers(self.net, request)
        self.iteration, self.seconds, self.best = 0, 0.0, float("-inf")

    @property
    def averaged(self) -> Network:
        """The network whose weights are the running average of the trained one's."""
        return self.average.module  # type: ignore[return-value]

    def learn(self, request: TrainRequest, forward: Forward, batch: Source, generator: torch.Generator, rate: float) -> Tensor:
        """Take one step on a batch with `rate` times the learning rates, and return its residual loss, without gradient."""
        degraded, clean, start = batch
        distance = DISTANCES[request.distance]

        def residual(x: Tensor, t: Tensor) -> Tensor:
            return forward(x.contiguous(memory_format=torch.channels_last), t, degraded)

        if TASKS[request.task].prior:  # its pictures stand at all times of their paths already
            return self._step(distance(residual(degraded, start) - (degraded - clean)), rate)
        t, later = draw_times(start, request.at_start, generator)
        end = clean
        if request.self_conditioned and later:
            with torch.no_grad():
                first = degraded[:later].contiguous(memory_format=torch.channels_last)
                own = first - forward(first, start[:later], first)
            end = torch.cat([own, clean[later:]])
        loss = residual_loss(residual, degraded, start, clean, t, distance, end)
        total, turn = loss, self.iteration // request.consistency_every
        if request.consistency and self.iteration % request.consistency_every == 0:
            times = make_times("released", 2 + turn % 3, start)
            total = loss + request.consistency * consistency_loss(residual, degraded, times, clean, distance)
        self._step(total, rate)
        return loss.detach()

    def _step(self, total: Tensor, rate: float) -> Tensor:
        """Descend by the gradient of `total`, and return it without gradient."""
        self.net.zero_grad(set_to_none=True)
        total.backward()
        self.group.all_reduce_mean(p.grad for p in self.net.parameters() if p.grad is not None)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * rate
            optimiser.step()
        self.average.update_parameters(self.net)
        self.iteration += 1
        return total.detach()


def train(request: TrainRequest, report: Callable[[TrainProgress], None] = lambda standing: None) -> TrainResult:
    """Train a network for a task and return what came of it; files go to `request.out` (STATE, BEST, LOG).

    Every iteration's data depend on the seed and its number alone, so a run that is interrupted and resumed ends with
    the same bits on the CPU as one that was not. SIGINT and SIGTERM save and end the run. Raises UsageError for limits
    that make no sense, NothingToDo without pictures, CheckpointError for a state or start that does not fit.
    """
    check(request)
    group, device = join_group(choose_device(request.device))
    state = request.out / STATE
    if state.exists() and not request.resume:
        raise UsageError(f"{request.out} already holds a run; use `resume` to go on or another `output`")
    training, held_out = load_corpus(request.data, request.crop, device)
    if training.paired and TASKS[request.task].prior:
        raise UsageError(
            f"{request.data} holds pairs; a prior is trained on clean pictures alone: give {request.data / 'clean'}"
        )
    layers = load_rain_layers(request.rain_layers).to(device) if request.rain_layers else None
    validation = validation_pairs(request, held_out, layers)
    run = Run(request, device, group)
    if request.resume:
        load_state(run, state, request)
    request.out.mkdir(parents=True, exist_ok=True)
    forward = forward_of(request, run.net, device)

    began = saved = reported = time.monotonic()
    began -= run.seconds
    since, losses, score = run.iteration, torch.zeros((), device=device), None
    with _signals() as caught, _flushed_denormals():
        while (progress := group.all_reduce_max(1.0 if caught else _progress(request, run), device)) < 1:
            generator = torch.Generator(device).manual_seed(
                seed_of_number(request.seed, run.iteration * group.size + group.rank)
            )
            batch = draw_batch(request, training, layers, generator)
            losses += run.learn(request, forward, batch, generator, lr_factor(progress, run.iteration, request))
            validating = run.iteration % request.validate_every == 0
            if validating and group.first:
                score = validate(run.averaged, validation)
                run.best = _keep_best(request, run, score)
            now = time.monotonic()
            run.seconds = now - began
            if group.first and now - saved > 60 * request.save_minutes:
                save_state(run, state, _card(request, run, score))
                saved = now
            if group.first and (validating or run.iteration % 50 == 0):
                count = run.iteration - since
                rate = count * request.batch * group.size / (now - reported)
                shown = score if validating else None
                standing = TrainProgress(run.iteration, progress, float(losses) / count, rate, _eta(request, run), shown)
                _log(request.out, standing)
                report(standing)
                reported, since, losses = now, run.iteration, torch.zeros((), device=device)

    if group.first:
        score = validate(run.averaged, validation)
        if not caught:
            run.best = _keep_best(request, run, score)
        elif run.best == float("-inf"):  # a first checkpoint to look at; the next validation replaces it
            _keep_best(request, run, score)
        save_state(run, state, _card(request, run, score))
    return TrainResult(request.out / BEST, run.iteration, max(run.best, score or 0.0), caught[0] if caught else None)


def forward_of(request: TrainRequest, net: Network, device: torch.device) -> Forward:
    """Return the network as it is called in training: compiled if asked, in the run's precision, float32 out."""
    dtype = choose_precision(request.precision, device)
    called = torch.compile(net, dynamic=False) if request.compile else net

    def forward(x: Tensor, t: Tensor, degraded: Tensor) -> Tensor:
        with autocast(device, dtype):
            return called(x, t, degraded).float()

    return forward


def _graft(start: Checkpoint, net: Network) -> None:
    """Give `net` every tensor of `start` that fits it; what it has beyond those stays fresh, and new blocks do nothing yet.

    Raises CheckpointError where tensors of one name differ in shape: then the widths are not the same.
    """
    ours, theirs = net.state_dict(), start.net.state_dict()
    entry, given = ours["entry.weight"], theirs.get("entry.weight")
    if given is not None and given.shape[0] == entry.shape[0] and given.shape[1] < entry.shape[1]:
        theirs["entry.weight"] = torch.cat([given, torch.zeros_like(entry[:, given.shape[1] :])], 1)  # inputs it did not have
    unfit = [key for key, value in theirs.items() if key not in ours or ours[key].shape != value.shape]
    if unfit:
        raise CheckpointError(f"{start.path} cannot begin a network of this `size`: {unfit[0]} does not fit; leave `size` out")
    net.load_state_dict(ours | theirs)


def _progress(request: TrainRequest, run: Run) -> float:
    by_time = run.seconds / 60 / request.minutes if request.minutes else 0.0
    by_count = run.iteration / request.iterations if request.iterations else 0.0
    return max(by_time, by_count)


def _eta(request: TrainRequest, run: Run) -> float:
    progress = _progress(request, run)
    return run.seconds * (1 - progress) / progress if progress else float("inf")


def _keep_best(request: TrainRequest, run: Run, score: float) -> float:
    if score >= run.best:
        save_checkpoint(request.out / BEST, run.averaged.state_dict(), _card(request, run, score))
    return max(score, run.best)


def _card(request: TrainRequest, run: Run, score: float | None) -> Card:
    recipe = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(request).items()}
    recipe = {key: value for key, value in recipe.items() if key not in PRIVATE}
    trained = {
        "data": request.data.name,
        "rain_layers": request.rain_layers is not None,
        "started_from": run.parent.digest if run.parent else None,
        "minutes_before": run.parent.minutes if run.parent else 0,
        "iterations": run.iteration,
        "minutes": round(run.seconds / 60, 1),
        "processes": run.group.size,
        "recipe": recipe,
    }
    scores = {} if score is None else {"validation_psnr": round(score, 3)}
    return Card(request.task, run.spec, TASKS[request.task].sigma_max, trained=trained, scores=scores)


def _log(folder: Path, standing: TrainProgress) -> None:
    with (folder / LOG).open("a") as file:
        file.write(json.dumps(asdict(standing)) + "\n")


@contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Take numbers too small for full precision as zero, for they slow a CPU down; the process is left as it was."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list in place of acting on them."""
    caught: list[int] = []
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, lambda received, frame: caught.append(received))
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
