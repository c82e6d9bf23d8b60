"""Training of a residual flow (IR-Flow, arXiv 2604.19680), read top to bottom."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.flow.losses import DISTANCES, consistency_loss, residual_loss
from irflow_cli.flow.times import make_times
from irflow_cli.metrics import psnr, rounded
from irflow_cli.nets import SIZES, NetSpec, UNet, build
from irflow_cli.runtime.checkpoints import Card, Checkpoint, load_checkpoint, save_checkpoint
from irflow_cli.runtime.corpus import Corpus, load_corpus, load_rain_layers, validation_crops
from irflow_cli.runtime.device import autocast, choose_device, choose_precision
from irflow_cli.runtime.images import write_atomically
from irflow_cli.runtime.team import Team, join_team
from irflow_cli.services.muon import Muon
from irflow_cli.services.sources import Source, draw_source
from irflow_cli.tasks import TASKS

STATE = "state.safetensors"  # all that is needed to go on
BEST = "best.safetensors"  # the averaged weights with the best validation so far: what ships
LOG = "log.jsonl"
PRIVATE = ("data", "out", "rain_layers", "init", "resume", "spec", "device")  # what the recipe on the card leaves out
FREE = ("minutes", "iterations", "decay", "validate_every", "save_minutes", "compile", "size")  # what may change on --resume
Forward = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x_t, t, degraded) -> residual


@dataclass(frozen=True)
class TrainRequest:
    """A training run. Times in minutes; `rate` is AdamW's (Muon's is three times it); `decay` is the share of the run in
    which the rate falls to zero; `at_start` the share of a batch at the start of the path; `own_levels`: the others stand on
    the network's own way to its own estimate, not on the way to the clean picture."""

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
    own_levels: bool = False
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


@dataclass(frozen=True)
class TrainProgress:
    """Where a run stands. rate: pictures per second since the last report; eta: seconds left by the nearer limit."""

    iteration: int
    share: float
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
    """The moving parts of a training run, and how they are written and read."""

    def __init__(self, request: TrainRequest, device: torch.device, team: Team | None = None) -> None:
        self.team = team or Team()
        torch.manual_seed(request.seed)
        start = load_checkpoint(request.init) if request.init else None
        self.parent = start.card if start else None
        prior = TASKS[request.task].prior
        given = start.card.spec if start else None
        if given and not isinstance(given, NetSpec):
            raise CheckpointError(f"{request.init} is a network of others, which irflow does not train; begin with another")
        if given and given.time_map and not prior:
            raise CheckpointError(f"{request.init} is a prior; --init it for --task prior, or begin with another")
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
        self.average = AveragedModel(self.net, multi_avg_fn=_average, use_buffers=False)
        self.optimisers = make_optimisers(self.net, request)
        self.iteration, self.seconds, self.best = 0, 0.0, float("-inf")

    @property
    def averaged(self) -> UNet:
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
        if request.own_levels and later:
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
        self.team.share(p.grad for p in self.net.parameters() if p.grad is not None)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * rate
            optimiser.step()
        self.average.update_parameters(self.net)
        self.iteration += 1
        return total.detach()

    def save(self, path: Path, card: Card) -> None:
        """Write everything that the next iteration depends on."""
        tensors = {f"net.{key}": value for key, value in self.net.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.averaged.state_dict().items()}
        for name, parameter in self.net.named_parameters():
            for optimiser in self.optimisers:
                for key, value in optimiser.state.get(parameter, {}).items():
                    tensors[f"optimiser.{key}.{name}"] = value
        note = {"iteration": self.iteration, "seconds": self.seconds, "best": self.best}
        contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        data = save(contiguous, {"irflow": card.to_json(), "run": json.dumps(note)})
        write_atomically(path, data, overwrite=True)

    def load(self, path: Path, request: TrainRequest) -> None:
        """Read what `save` wrote. Raises CheckpointError when it is damaged or of another network, UsageError when it was begun
        with other options than the request has."""
        try:
            with safe_open(path, framework="pt") as file:
                note = json.loads(file.metadata()["run"])
                begun = json.loads(file.metadata()["irflow"])["trained"]["recipe"]
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            self.net.load_state_dict(_below(tensors, "net."))
            self.averaged.load_state_dict(_below(tensors, "average."))
            owner = {p: o for o in self.optimisers for group in o.param_groups for p in group["params"]}
            for name, parameter in self.net.named_parameters():
                for key in ("step", "exp_avg", "exp_avg_sq", "momentum"):
                    value = tensors.get(f"optimiser.{key}.{name}")
                    if value is not None:
                        moved = value.to(parameter.device)
                        like = torch.empty_like(parameter) if moved.ndim else moved
                        owner[parameter].state[parameter][key] = like.copy_(moved)
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
            raise CheckpointError(f"{path} cannot be resumed: {str(error).splitlines()[0]}") from None
        for key, value in begun.items():
            if key not in FREE and getattr(request, key, value) != value:
                raise UsageError(f"{request.out} was begun with --{key.replace('_', '-')} {value}, and goes on with that alone")
        self.iteration, self.seconds, self.best = note["iteration"], note["seconds"], note["best"]
        self.average.n_averaged.fill_(self.iteration)


def train(request: TrainRequest, report: Callable[[TrainProgress], None] = lambda progress: None) -> TrainResult:
    """Train a network for a task and return what came of it; files go to `request.out` (STATE, BEST, LOG).

    Every iteration's data depend on the seed and its number alone, so a run that is interrupted and resumed ends with
    the same bits on the CPU as one that was not. SIGINT and SIGTERM save and end the run. Raises UsageError for limits
    that make no sense, NothingToDo without pictures, CheckpointError for a state or start that does not fit.
    """
    check(request)
    team, device = join_team(choose_device(request.device))
    state = request.out / STATE
    if state.exists() and not request.resume:
        raise UsageError(f"{request.out} already holds a run; use --resume to go on or another --output")
    training, held_out = load_corpus(request.data, request.crop, device)
    if training.paired and TASKS[request.task].prior:
        raise UsageError(
            f"{request.data} holds pairs; a prior is trained on clean pictures alone: give {request.data / 'clean'}"
        )
    layers = load_rain_layers(request.rain_layers).to(device) if request.rain_layers else None
    validation = validation_pairs(request, held_out, layers)
    run = Run(request, device, team)
    if request.resume:
        run.load(state, request)
    request.out.mkdir(parents=True, exist_ok=True)
    forward = forward_of(request, run.net, device)

    began = saved = reported = time.monotonic()
    began -= run.seconds
    since, losses, score = run.iteration, torch.zeros((), device=device), None
    with _signals() as caught, _flushed_denormals():
        while (share := team.most(1.0 if caught else _share(request, run), device)) < 1:
            generator = torch.Generator(device).manual_seed(_mixed(request.seed, run.iteration * team.size + team.rank))
            batch = draw_batch(request, training, layers, generator)
            losses += run.learn(request, forward, batch, generator, factor(share, run.iteration, request))
            validating = run.iteration % request.validate_every == 0
            if validating and team.first:
                score = validate(run.averaged, validation)
                run.best = _keep_best(request, run, score)
            now = time.monotonic()
            run.seconds = now - began
            if team.first and now - saved > 60 * request.save_minutes:
                run.save(state, _card(request, run, score))
                saved = now
            if team.first and (validating or run.iteration % 50 == 0):
                count = run.iteration - since
                rate = count * request.batch * team.size / (now - reported)
                shown = score if validating else None
                progress = TrainProgress(run.iteration, share, float(losses) / count, rate, _eta(request, run), shown)
                _log(request.out, progress)
                report(progress)
                reported, since, losses = now, run.iteration, torch.zeros((), device=device)

    if team.first:
        score = validate(run.averaged, validation)
        if not caught:
            run.best = _keep_best(request, run, score)
        elif run.best == float("-inf"):  # a first checkpoint to look at; the next validation replaces it
            _keep_best(request, run, score)
        run.save(state, _card(request, run, score))
    return TrainResult(request.out / BEST, run.iteration, max(run.best, score or 0.0), caught[0] if caught else None)


def forward_of(request: TrainRequest, net: UNet, device: torch.device) -> Forward:
    """Return the network as it is called in training: compiled if asked, in the run's precision, float32 out."""
    dtype = choose_precision(request.precision, device)
    called = torch.compile(net, dynamic=False) if request.compile else net

    def forward(x: Tensor, t: Tensor, degraded: Tensor) -> Tensor:
        with autocast(device, dtype):
            return called(x, t, degraded).float()

    return forward


def check(request: TrainRequest) -> None:
    """Raise UsageError for a request that cannot be trained."""
    if request.task not in TASKS:
        raise UsageError(f"unknown task {request.task!r}; there are {', '.join(TASKS)}")
    rules = {
        "give --minutes or --iterations": request.minutes is not None or request.iterations is not None,
        "--minutes must be above 0": request.minutes is None or request.minutes > 0,
        "--iterations must be above 0": request.iterations is None or request.iterations > 0,
        "--batch and --crop must be above 0 (crops at least 16)": request.batch > 0 and request.crop >= 16,
        f"--distance is one of {', '.join(DISTANCES)}": request.distance in DISTANCES,
        "--optimiser is muon or adamw": request.optimiser in ("muon", "adamw"),
        f"--size is one of {', '.join(SIZES)}": request.size is None or request.size in SIZES,
        "--precision of training is auto, fp32 or bf16": request.precision in ("auto", "fp32", "bf16"),
        "--decay is a share between 0 and 1": 0 <= request.decay <= 1,
        f"there is no folder {request.data}": request.data.is_dir(),
        "--condition, --own-levels and --rain-layers have no meaning for a prior; leave them out": not TASKS[request.task].prior
        or not (request.condition or request.own_levels or request.rain_layers),
    }
    for message, holds in rules.items():
        if not holds:
            raise UsageError(message)


def make_optimisers(net: UNet, request: TrainRequest) -> tuple[torch.optim.Optimizer, ...]:
    """Return the optimisers of a run: Muon for the inner convolutions and AdamW for the rest, or AdamW for all."""
    inner = [p for name, p in net.named_parameters() if p.ndim == 4 and not name.startswith(("entry", "exit"))]
    inner = inner if request.optimiser == "muon" else []
    others = [p for p in net.parameters() if all(p is not q for q in inner)]
    adamw = torch.optim.AdamW(others, lr=request.rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    optimisers = (adamw, Muon(inner, lr=3 * request.rate)) if inner else (adamw,)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers


def draw_batch(request: TrainRequest, corpus: Corpus, layers: Tensor | None, generator: torch.Generator) -> Source:
    """Return the pictures of one iteration: pairs from the files, or clean crops degraded by the task's table."""
    crops = corpus.batch(request.batch, request.crop, torch.Generator().manual_seed(generator.initial_seed()))
    if corpus.paired:
        return Source(crops[:, 3:], crops[:, :3], torch.zeros(len(crops), device=crops.device))
    return draw_source(request.task, crops, generator, layers)


def draw_times(start: Tensor, at_start: float, generator: torch.Generator) -> tuple[Tensor, int]:
    """Return times (B,) and how many of them, the first, are later than `start`; the share `at_start` stands there.

    The later ones are uniform between there and 1.
    """
    later = round(len(start) * (1 - at_start))
    draws = 0.98 * torch.rand(later, generator=generator, device=generator.device).to(start.device)
    return torch.cat([start[:later] + (1 - start[:later]) * draws, start[later:]]), later


def factor(share: float, iteration: int, request: TrainRequest) -> float:
    """Return the factor of the learning rate: warm-up, then constant, then down to zero in the last `decay` of the run.

    Without decay the rate is constant, so a run can be continued for ever.
    """
    warm = min(1.0, (iteration + 1) / max(1, request.warmup))
    return warm * (min(1.0, (1 - share) / request.decay) if request.decay else 1.0)


def validation_pairs(request: TrainRequest, corpus: Corpus, layers: Tensor | None) -> list[Source]:
    """Return the held-out pictures, three degraded versions of each, the same in every run."""
    device = corpus.pictures[0].device
    pairs = []
    for index, crop in enumerate(validation_crops(corpus, 192)):
        if corpus.paired:
            pairs.append(Source(crop[:, 3:], crop[:, :3], torch.zeros(1, device=device)))
            continue
        generator = torch.Generator(device).manual_seed(_mixed(20, index))
        pairs.append(draw_source(request.task, crop.expand(3, -1, -1, -1), generator, layers))
    return pairs


@torch.inference_mode()
def validate(net: UNet, pairs: list[Source]) -> float:
    """Return the mean PSNR in dB of one step from each degraded picture, rounded to 8 bits."""
    scores = []
    for degraded, clean, start in pairs:
        restored = degraded - net(degraded, start, degraded)
        scores.append(psnr(rounded(restored).cpu(), clean.cpu()).clamp(max=60))
    return float(torch.cat(scores).mean())


def _graft(start: Checkpoint, net: UNet) -> None:
    """Give `net` every tensor of `start` that fits it; what it has beyond those stays fresh, and new blocks do nothing yet.

    Raises CheckpointError where tensors of one name differ in shape: then the widths are not the same.
    """
    ours, theirs = net.state_dict(), start.net.state_dict()
    entry, given = ours["entry.weight"], theirs.get("entry.weight")
    if given is not None and given.shape[0] == entry.shape[0] and given.shape[1] < entry.shape[1]:
        theirs["entry.weight"] = torch.cat([given, torch.zeros_like(entry[:, given.shape[1] :])], 1)  # inputs it did not have
    unfit = [key for key, value in theirs.items() if key not in ours or ours[key].shape != value.shape]
    if unfit:
        raise CheckpointError(f"{start.path} cannot begin a network of this --size: {unfit[0]} does not fit; leave --size out")
    net.load_state_dict(ours | theirs)


def _average(averaged: Any, current: Any, count: Any) -> None:
    """Move the average by 1/1000 of the way, faster in the beginning."""
    weight = max(1e-3, 1 / (1 + float(count) / 9)) if float(count) < 9000 else 1e-3
    for ours, theirs in zip(averaged, current, strict=True):
        ours.lerp_(theirs, weight)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _mixed(seed: int, number: int) -> int:
    """Return a well-spread seed for a numbered draw of a seeded run."""
    value = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    return (value ^ (value >> 31)) % 2**63


def _share(request: TrainRequest, run: Run) -> float:
    by_time = run.seconds / 60 / request.minutes if request.minutes else 0.0
    by_count = run.iteration / request.iterations if request.iterations else 0.0
    return max(by_time, by_count)


def _eta(request: TrainRequest, run: Run) -> float:
    share = _share(request, run)
    return run.seconds * (1 - share) / share if share else float("inf")


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
        "processes": run.team.size,
        "recipe": recipe,
    }
    scores = {} if score is None else {"validation_psnr": round(score, 3)}
    return Card(request.task, run.spec, TASKS[request.task].sigma_max, trained=trained, scores=scores)


def _log(folder: Path, progress: TrainProgress) -> None:
    with (folder / LOG).open("a") as file:
        file.write(json.dumps(asdict(progress)) + "\n")


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
