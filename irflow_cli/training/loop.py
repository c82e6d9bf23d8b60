"""Training of a residual flow (IR-Flow, arXiv 2604.19680), read top to bottom."""

from __future__ import annotations

import contextlib
import copy
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout  # torch brings it
from torch import Tensor

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.flow.losses import DISTANCES, consistency_loss, residual_loss
from irflow_cli.flow.times import make_times
from irflow_cli.nets import SIZES, NetSpec, Network, Spec, alone, build
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint, read_card
from irflow_cli.runtime.device import autocast, choose_device, choose_training_precision
from irflow_cli.runtime.files import begun_in, clear_begun
from irflow_cli.seeds import SEEDS
from irflow_cli.tasks import task_of
from irflow_cli.training.dataset import load_corpus
from irflow_cli.training.distributed import ProcessGroup, join_group
from irflow_cli.training.growth import grow
from irflow_cli.training.guesses import with_guesses
from irflow_cli.training.optimisers import lr_factor, make_optimisers, move_average
from irflow_cli.training.options import TrainRequest, check
from irflow_cli.training.origin import Origin
from irflow_cli.training.record import BEST, LAST, LOG, STATE, Record, TrainProgress, progress_of
from irflow_cli.training.sampling import Batch, Sampler, Source, draw_times, load_layers
from irflow_cli.training.state import load_state, resuming
from irflow_cli.training.validation import validation_pairs

LOCK = ".lock"  # held while a run works in its folder
ENDS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
Forward = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x_t, t, degraded) -> residual


@dataclass(frozen=True)
class TrainResult:
    """What a run came to. `interrupted` is the signal's number when one ended it."""

    checkpoint: Path
    iterations: int
    psnr: float
    interrupted: int | None


def train(
    request: TrainRequest,
    report: Callable[[TrainProgress], None] = lambda progress: None,
    tell: Callable[[str], None] = lambda note: None,
) -> TrainResult:
    """Train a network for a task and return what came of it; files go to `request.out` (STATE, BEST, LAST, LOG).

    report: gets where the run stands, every few seconds; tell: what to tell the user of the pictures.

    Every iteration's data depend on the seed and its number alone, so a run that is interrupted and resumed ends with
    the same bits on the CPU as one that was not. SIGINT, SIGTERM and SIGHUP save and end the run. Raises UsageError for
    limits that make no sense, for a folder that another run works in, and for one that has such files already and is not to be
    resumed; NothingToDo without pictures, CheckpointError for a state or start that does not fit, IrflowError for a run that
    diverged.
    """
    check(request)
    group, device = join_group(choose_device(request.device))
    with group:
        return _trained(request, report, tell, group, device)


def _trained(
    request: TrainRequest,
    report: Callable[[TrainProgress], None],
    tell: Callable[[str], None],
    group: ProcessGroup,
    device: torch.device,
) -> TrainResult:
    """Do what `train` says, as one of a group."""
    if (taken := taken_in(request.out)) and not request.resume:
        with _alone_in(request.out, group):  # which says it better where the run that made it is still at work
            raise UsageError(f"{taken} exists; give another `output`, or use `resume` to go on with the run in {request.out}")
    corpora = load_corpus(request.data, request.crop, device)
    training, held_out = corpora.training, corpora.validation
    if training.paired and task_of(request.task).prior:
        raise UsageError(
            f"{request.data} holds pairs; a prior is trained on clean pictures alone: give {request.data / 'clean'}"
        )
    for note in corpora.notes(request.crop) if group.first else ():
        tell(note)
    layers = load_layers(request, device)
    run, sampler = Run(request, device, group), Sampler(request, training, layers, group)
    forward = forward_of(request, run.net, device)
    with _alone_in(request.out, group), _signals() as caught, _flushed_denormals():
        if request.resume:
            load_state(run, request.out / STATE, request)
        record = Record(request, run, validation_pairs(request, held_out, layers) if group.first else [], report)
        while (progress := group.all_reduce_max(1.0 if caught else progress_of(request, run), device)) < 1:
            rate = lr_factor(progress, run.iteration, request)
            loss = run.learn(request, forward, sampler.batches(run.iteration), rate)
            if group.first:
                record.after(loss)
        if group.first:
            record.end(finished=not caught)
    return TrainResult(request.out / BEST, run.iteration, run.best, caught[0] if caught else None)


def taken_in(folder: Path) -> Path | None:
    """Return what a run would replace or add to in a folder, None where it has it to itself."""
    return next((folder / name for name in (STATE, BEST, LAST, LOG) if os.path.lexists(folder / name)), None)


class Run:
    """The moving parts of a training run: the network, its running average, the optimisers, and how far they are."""

    def __init__(self, request: TrainRequest, device: torch.device, group: ProcessGroup | None = None) -> None:
        self.group, self.device = group or ProcessGroup(), device
        torch.manual_seed(request.seed % SEEDS)
        start = load_checkpoint(request.init) if request.init and not request.resume else None
        self.origin = Origin.of(start.card if start else None, request.data)
        self.spec = spec_of_run(request, start)
        self.net = build(self.spec)
        if start:
            start.net.confidence = None  # it says how far to believe the network as it was
            grow(start.net, self.net)  # type: ignore[arg-type] - `spec_of_run` saw to it
        self.net.to(device)
        self.averaged: Network = copy.deepcopy(self.net).requires_grad_(False)
        self.optimisers = make_optimisers(self.net, request)
        self.iteration, self.seconds, self.best = 0, 0.0, float("-inf")

    def learn(self, request: TrainRequest, forward: Forward, batches: Iterable[Batch], rate: float) -> Tensor:
        """Take one step by the mean gradient of some batches, each with the generator of its draws, at `rate` times the
        learning rates; return the mean loss of the residual, without gradient."""
        self.net.zero_grad(set_to_none=True)
        losses = []
        for source, generator in batches:
            total, loss = self.loss(request, forward, source, generator)
            (total / request.accumulate).backward()
            losses.append(loss.detach())
        self.group.all_reduce_mean(p.grad for p in self.net.parameters() if p.grad is not None)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * rate
            optimiser.step()
        self.iteration += 1
        move_average(self.averaged, self.net, self.iteration)
        return torch.stack(losses).mean()

    def loss(
        self, request: TrainRequest, forward: Forward, source: Source, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return what a batch is trained on, and the part of it that is the loss of the residual."""
        degraded, clean, start = source
        distance = DISTANCES[request.distance]

        def residual(x: Tensor, t: Tensor) -> Tensor:
            return forward(x.contiguous(memory_format=torch.channels_last), t, degraded)

        if task_of(request.task).prior:  # its pictures stand at all times of their paths already
            (degraded, clean, start), coarse = with_guesses(residual, source, request.guesses, generator)
            loss = distance(residual(degraded, start) - (degraded - clean))
            return loss + sum(distance(error) / len(coarse) for error in coarse), loss
        t, later = draw_times(start, request.at_start, generator)
        end = clean
        if request.self_conditioned and later:
            with torch.no_grad():
                first = degraded[:later].contiguous(memory_format=torch.channels_last)
                own = first - forward(first, start[:later], first)
            end = torch.cat([own, clean[later:]])
        loss = residual_loss(residual, degraded, start, clean, t, distance, end)
        if not request.consistency or self.iteration % request.consistency_every:
            return loss, loss
        times = make_times("released", 2 + self.iteration // request.consistency_every % 3, start)
        return loss + request.consistency * consistency_loss(residual, degraded, times, clean, distance), loss


def spec_of_run(request: TrainRequest, start: Checkpoint | None) -> Spec:
    """Return the network of a run: what was asked for, else that of the run it resumes or of the checkpoint it begins with,
    else the default.

    Raises CheckpointError for a start that cannot be trained on, UsageError for a network that cannot do what the run needs.
    """
    prior = task_of(request.task).prior
    if start and not start.card.spec.trainable:
        raise CheckpointError(f"{request.init} is a third-party network, which irflow does not train; begin with another")
    if start and start.net.contract.time_map and not prior:
        raise CheckpointError(f"{request.init} is a prior; `init` it for `task` prior, or begin with another")
    begun = start.card.spec if start else NetSpec()
    if request.resume:
        with resuming(request.out / STATE):
            begun = read_card(request.out / STATE).spec
    spec = request.spec or (SIZES[request.size] if request.size else begun)
    needed = {name: True for name, wanted in (("condition", request.condition), ("time_map", prior)) if wanted}
    known = {field.name for field in fields(spec)}
    if lacking := needed.keys() - known:
        raise UsageError(f"the network {spec.net} has no {' and no '.join(sorted(lacking))}; train another `size`")
    return replace(alone(spec), **needed)


def forward_of(request: TrainRequest, net: Network, device: torch.device) -> Forward:
    """Return the network as it is called in training: compiled if `compile` is set, in the run's precision, float32 out."""
    dtype = choose_training_precision(request.precision, device)
    called = torch.compile(net, dynamic=False) if request.compile else net

    def forward(x: Tensor, t: Tensor, degraded: Tensor) -> Tensor:
        with autocast(device, dtype):
            return called(x, t, degraded).float()

    return forward


@contextmanager
def _alone_in(folder: Path, group: ProcessGroup) -> Iterator[None]:
    """Hold the lock of a run's folder, and remove what a killed run had begun to write there."""
    if not group.first:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(f"another run works in {folder}; wait for its end, or give this one a folder of its own") from None
    try:
        for name in (STATE, BEST, LAST):
            clear_begun(folder / name, begun_in(folder))
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()  # while it is held: afterwards it may be another run's
        lock.release()


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
    """Collect the signals that end a run in a list in place of acting on them. One that was ignored before, as under `nohup`,
    stays ignored."""
    caught: list[int] = []
    before = {}
    for number in (number for number in ENDS if signal.getsignal(number) is not signal.SIG_IGN):
        before[number] = signal.signal(number, lambda received, frame: caught.append(received))
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
