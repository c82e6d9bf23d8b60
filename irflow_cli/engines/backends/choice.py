"""Which engine computes a network here, and in which precision: asked for, or the fastest of those that agree with torch.

Every engine is compared with torch in float32 on one tile before its first use, and timed on it where there is a choice. What
was found is kept by machine, versions, threads and network, so that it is done once.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from irflow_cli.engines.backends import graph, store
from irflow_cli.engines.backends.calibration import can_calibrate
from irflow_cli.engines.backends.table import BACKENDS, Call, Loaded, in_torch, network_key, said_by, unloaded
from irflow_cli.errors import UsageError
from irflow_cli.kinds import check_kinds
from irflow_cli.nets import Contract
from irflow_cli.runtime.checkpoints import Card, Checkpoint
from irflow_cli.runtime.device import PRECISIONS, choose_precision, has_bf16, limits, precision_name, processor

ENGINES = ("auto", *BACKENDS)
# How far an engine may be from torch in float32: root of the mean squared error over that of the network's output, or over
# LEAST where that is less: a network that sees nothing of what it takes out answers next to nothing.
TOLERANCES = {"fp32": 1e-4, "bf16": 0.05, "fp16": 0.05, "int8": 0.3}
LEAST = 0.02  # five grey levels of 256
SLOWEST = 1e6  # seconds a megapixel; a cache that says more is damaged
THEIRS = "third-party networks are computed by torch"
SIDE, ROUNDS = 256, 5  # of the tile that is timed, and how often; the quickest counts
CLOSE, MORE = 1.3, 10  # where the second is no more than so many times slower, so many rounds more tell them apart
ENOUGH, PATIENCE = 2, 8.0  # after so many rounds, timing ends once it has taken so many seconds: all is slow, and clear enough
HOPELESS = 10  # times slower than the quickest: not timed again


@dataclass(frozen=True)
class Trial:
    """What was found of an engine in a precision: seconds a megapixel and call, its difference from torch in float32, in units
    of the output (both root mean square), and why it is not used, None where it may be."""

    engine: str
    precision: str
    seconds: float = 0.0
    difference: float = 0.0
    refused: str | None = None

    @property
    def name(self) -> str:
        """Engine and precision."""
        return f"{self.engine} {self.precision}"

    def __str__(self) -> str:
        return f"{self.name}: {self.refused}" if self.refused else f"{self.name}: {self.seconds:.2f} s/MP"


Choice = tuple[Trial, Call, tuple[str, ...]]  # what was chosen, how it is called, and what to tell the user


class Engine:
    """A network at work, called as a network is: (x_t, t, degraded) -> its output in float32, on the device of x_t.

    What computes it is chosen when that is first asked for: it may have to be timed, which a dry run has no use for. What needs
    a gradient is computed by torch. A call whose result is not finite in a lower precision is made again in float32, and
    counted in `redone`. notes: what to tell the user, once.
    """

    def __init__(self, loaded: Loaded, choose: Callable[[], Choice]) -> None:
        self.loaded, self.choose, self.choosing = loaded, choose, Lock()
        self.found: tuple[Trial, Call] | None = None
        self.notes: tuple[str, ...] = ()
        self.redone = 0
        self.exact = in_torch(loaded, "fp32")

    @property
    def chosen(self) -> tuple[Trial, Call]:
        """What computes the network. Threads that ask at once wait for one choice."""
        with self.choosing:
            if self.found is None:
                with torch.inference_mode(False):  # weights that are cast here may be asked for gradients later
                    trial, call, notes = self.choose()
                self.found, self.notes = (trial, call), (*notes, *self.notes)
            return self.found

    def open(self) -> str:
        """Return what computes the network, such as `openvino bf16, cpu`; it is chosen now if it was not before."""
        return f"{self.chosen[0].name}, {self.loaded.device.type}"

    @property
    def name(self) -> str:
        """The engine's, of ENGINES."""
        return self.chosen[0].engine

    @property
    def precision(self) -> str:
        """That of most of the work."""
        return self.chosen[0].precision

    @property
    def dtype(self) -> torch.dtype:
        """The arithmetic of most of the work, as torch knows it; of int8, that of the rest."""
        return PRECISIONS.get(self.precision, torch.bfloat16)

    def __call__(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return the network's output, (B, 3, H, W)."""
        if self.name != "torch" and torch.is_grad_enabled() and x_t.requires_grad:
            return self.exact(x_t, t, degraded)
        found = self.chosen[1](x_t, t, degraded)
        if self.precision != "fp32" and not found.isfinite().all():
            self.redone += 1
            found = self.exact(x_t, t, degraded)
        return found

    @property
    def contract(self) -> Contract:
        """What the network predicts and needs."""
        return self.loaded.net.contract

    def remarks(self) -> tuple[str, ...]:
        """Return what to tell the user: notes the first time, and of calls that were made again since the last time."""
        self.open()
        with self.choosing:
            again, self.redone = self.redone, 0
            notes, self.notes = self.notes, ()
        said = f"{again} calls of the network overflowed in {self.precision} and were made again in fp32"
        return (*notes, said) if again else notes


def open_engine(checkpoint: Checkpoint, device: torch.device, engine: str = "auto", precision: str = "auto") -> Engine:
    """Return the checkpoint's network at work on a device.

    engine: a name of ENGINES; auto takes the fastest one that is installed and agrees with torch. precision: fp32, bf16, fp16,
    int8; auto is bfloat16 where the processor has it, it agrees and is faster, else float32, and never int8. Third-party
    networks run in torch, in float32 unless `precision` says otherwise. Raises UsageError for names that are none, for an
    engine that is not installed or does not go with the device or the precision, and for a network that int8 does not go with.
    """
    spec, task = checkpoint.card.spec, checkpoint.card.task
    if precision == "int8" and not (spec.trainable and can_calibrate(task)):
        whose = f"networks of task {task}" if spec.trainable else "third-party networks"
        raise UsageError(f"`precision` int8 does not go with {whose}; use `precision` auto")
    check(engine, precision)
    loaded, usual = Loaded(checkpoint, device), precision if spec.trainable or precision != "auto" else "fp32"
    if device.type != "cpu":
        if engine not in ("auto", "torch") or precision == "int8":
            what = f"`engine` {engine}" if engine != "auto" else f"`precision` {precision}"
            raise UsageError(f"{what} works on the processor; use `device` cpu, or `engine` torch")
        return _by_torch(loaded, precision_name(choose_precision(usual, device)))
    if not spec.trainable:
        return _by_torch(loaded, usual, (THEIRS,) if _others(engine) else ())
    return Engine(loaded, partial(_choose, loaded, engine, precision))


def _by_torch(loaded: Loaded, precision: str, notes: tuple[str, ...] = ()) -> Engine:
    """Return a network at work in torch, with nothing to choose."""
    return Engine(loaded, lambda: (Trial("torch", precision), in_torch(loaded, precision), notes))


def _choose(loaded: Loaded, engine: str, precision: str) -> Choice:
    """Return what computes a network of ours on the processor."""
    trials, fresh = tried(loaded, wanted(engine, precision))
    chosen, call, failed = _first(loaded, sorted((one for one in trials if not one.refused), key=lambda one: one.seconds))
    as_asked = engine in ("auto", chosen.engine) and precision in ("auto", chosen.precision)
    refused = [one for one in trials if one.refused] if fresh or not as_asked else []
    return chosen, call, tuple(_notes(loaded, chosen, [*refused, *failed]))


def _others(engine: str) -> bool:
    """Return whether another engine than torch was asked for, or is there to be chosen."""
    names = [name for name in BACKENDS if name != "torch"] if engine == "auto" else [engine]
    return engine != "torch" and any(BACKENDS[name].missing("fp32") is None for name in names)


def _first(loaded: Loaded, usable: list[Trial]) -> tuple[Trial, Call, list[Trial]]:
    """Return the first engine that opens, and those that did not, with why; torch in float32 always does."""
    failed = []
    for trial in usable:
        try:
            return trial, BACKENDS[trial.engine].open(loaded, trial.precision), failed
        except Exception as error:  # those of libraries are of any class, and torch is there
            failed.append(Trial(trial.engine, trial.precision, refused=_failure(error)))
    return Trial("torch", "fp32"), in_torch(loaded, "fp32"), failed


def _notes(loaded: Loaded, chosen: Trial, refused: list[Trial]) -> Iterator[str]:
    """Yield what to tell the user of a choice."""
    if refused:
        reasons: dict[str, list[str]] = {}
        for one in refused:
            reasons.setdefault(str(one.refused), []).append(one.name)
        said = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        yield f"{said}; using {chosen.name}"
    if chosen.precision != "fp32" and (lacking := BACKENDS[chosen.engine].lacking(chosen.precision)):
        yield f"{chosen.name}: {lacking}; fp32 is faster"
    if loaded.unkept:
        yield f"{loaded.unkept[0]}; what is found of engines is not kept, and found again each time"


def check(engine: str, precision: str) -> None:
    """Raise UsageError for an engine or a precision that there is not, or that does not go together or is not installed."""
    known = dict.fromkeys(name for backend in BACKENDS.values() for name in backend.precisions)
    if engine not in ENGINES:
        raise UsageError(f"unknown `engine` {engine!r}; there are {', '.join(ENGINES)}")
    if precision not in ("auto", *known):
        raise UsageError(f"unknown `precision` {precision!r}; there are auto, {', '.join(known)}")
    wanted = [engine] if engine != "auto" else [name for name in BACKENDS if precision in BACKENDS[name].precisions]
    if precision == "auto":
        reasons = [BACKENDS[name].missing("fp32") for name in wanted] if engine != "auto" else [None]
    else:
        reasons = [_unfit(name, precision) for name in wanted]
    if all(reasons):
        what = f"`engine` {engine}" if engine != "auto" else f"`precision` {precision}: {wanted[0]}"
        raise UsageError(f"{what} {reasons[0]}")


def _unfit(name: str, precision: str) -> str | None:
    """Return why an engine cannot do what is asked for by name; None where it can, if slowly."""
    backend = BACKENDS[name]
    reason = backend.missing(precision) if precision in backend.slow else backend.refusal(precision)
    return f"{reason}; use `precision` auto" if reason and reason == backend.lacking(precision) else reason


def wanted(engine: str, precision: str) -> list[tuple[str, str]]:
    """Return the engines and precisions to choose from. What is not there is left out: it is no news, and `irflow doctor`
    shows it."""
    names = list(BACKENDS) if engine == "auto" else [engine]
    if precision == "auto":
        return [(name, one) for name in names for one in BACKENDS[name].usual if BACKENDS[name].refusal(one) is None]
    return [(name, precision) for name in names if _unfit(name, precision) is None]


def tried(loaded: Loaded, choices: list[tuple[str, str]]) -> tuple[list[Trial], bool]:
    """Return what is known of each choice, from the cache or from trials now, and whether something was tried now.

    One choice alone of torch in float32 is not tried: it is the measure. What failed before it was measured is tried again the
    next time: a library may have come, or room on a disk.
    """
    if choices == [("torch", "fp32")]:
        return [Trial("torch", "fp32")], False
    name = _table(loaded.key)
    known = {(one.engine, one.precision): one for one in _stored(store.read_json(name))}
    fresh = [choice for choice in choices if choice not in known]
    known |= attempts(loaded, fresh) if fresh else {}
    measured = [asdict(one) for one in known.values() if one.seconds > 0]
    if fresh and measured:
        loaded.heed(store.write_json(name, {"trials": measured}))
    return [known[choice] for choice in choices], bool(fresh)


def _table(network: str) -> str:
    """Return the name of the file of what was found here of a network, by its key."""
    return f"{store.key(machine(), TOLERANCES, LEAST, network)}.json"


def _stored(values: Any) -> list[Trial]:
    """Return the trials of a file of the cache; none where they are not such as are written there."""
    try:
        trials = [Trial(**one) for one in values["trials"]]
        for one in trials:
            check_kinds(one)
    except (TypeError, KeyError, IndexError, UsageError):
        return []
    known = [one.precision in BACKENDS[one.engine].precisions for one in trials if one.engine in BACKENDS]
    return trials if len(known) == len(trials) and all(known) and all(0 < one.seconds < SLOWEST for one in trials) else []


@torch.inference_mode()
def attempts(loaded: Loaded, choices: list[tuple[str, str]]) -> dict[tuple[str, str], Trial]:
    """Return what is found of each choice when it computes one tile: its time, and how far it is from torch in float32.

    They are timed in turn, round by round, so that what else the machine does meanwhile slows all of them; for longer where the
    two quickest are close, but not beyond PATIENCE.
    """
    inputs = graph.example(loaded.net, SIDE)
    tile = inputs[0].contiguous(memory_format=torch.channels_last), inputs[1], inputs[2] if len(inputs) > 2 else None
    reference = in_torch(loaded, "fp32")(*tile)
    scale = reference.square().mean().sqrt().clamp_min(LEAST)
    found = {choice: Trial(*choice) for choice in choices}
    calls: dict[tuple[str, str], Call] = {}
    began = time.perf_counter()
    for turn in range(1 + ROUNDS + MORE):
        if turn > ENOUGH and time.perf_counter() - began > PATIENCE:
            break
        times = sorted(found[choice].seconds for choice in calls)
        if turn > ROUNDS and (len(times) < 2 or times[1] > CLOSE * times[0]):
            break
        limit = HOPELESS * times[0] if turn > 1 and times else float("inf")
        for choice in choices:
            if found[choice].seconds > limit:
                continue
            try:
                if turn == 0:
                    calls[choice] = BACKENDS[choice[0]].open(loaded, choice[1])
                    difference = float((calls[choice](*tile) - reference).square().mean().sqrt() / scale)
                    found[choice] = replace(found[choice], difference=difference, seconds=float("inf"))
                elif choice in calls:
                    seconds = _seconds(calls[choice], tile) / (SIDE**2 / 1e6)
                    found[choice] = replace(found[choice], seconds=min(seconds, found[choice].seconds))
            except Exception as error:  # those of libraries are of any class, and torch is there
                calls.pop(choice, None)
                found[choice] = Trial(*choice, refused=_failure(error))
    return {choice: _judged(trial) for choice, trial in found.items()}


def _seconds(call: Call, tile: tuple[Tensor, Tensor, Tensor | None]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call(*tile)
    return time.perf_counter() - began


def _judged(trial: Trial) -> Trial:
    """Return a trial, refused where it differs too much from torch."""
    limit = TOLERANCES[trial.precision]
    if trial.refused or trial.difference <= limit:
        return trial
    return replace(trial, refused=f"differs from torch in fp32 by {trial.difference:.2g}, more than {limit:g}")


def _failure(error: Exception) -> str:
    """Return why an engine could not be tried."""
    return unloaded(error) if isinstance(error, ImportError) else f"does not take this network ({said_by(error)})"


def tried_before(card: Card) -> list[Trial]:
    """Return what was found of a checkpoint's network on this machine, with as many threads and the same versions."""
    return _stored(store.read_json(_table(network_key(card))))


def machine() -> str:
    """Return all that a timing hangs on beside the network: processor, instructions, threads and versions."""
    versions = [f"{name} {found}" for name in ("torch", "openvino", "onnxruntime") if (found := _version(name))]
    kept = [f"{name} {value}" for name, value in limits().items()]
    named = f"{processor()} {'with' if has_bf16() else 'without'} bfloat16"  # of two machines of one name that share a cache
    return ", ".join([named, platform.machine(), f"{torch.get_num_threads()} threads", *versions, *kept])


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
