"""Which engine computes a network here, and in which precision: asked for, or the fastest of those that agree with torch.

Every engine is compared with torch in float32 on one tile before its first use, and timed on it where there is a choice. What
was found is kept by machine, versions, threads and network, so that it is done once.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor

from irflow_cli.engines.backends import graph, store
from irflow_cli.engines.backends.graph import Untraceable
from irflow_cli.engines.backends.table import BACKENDS, Call, Loaded, in_torch
from irflow_cli.errors import UsageError
from irflow_cli.nets import Contract
from irflow_cli.runtime.checkpoints import Checkpoint
from irflow_cli.runtime.device import PRECISIONS, choose_precision, precision_name, processor

ENGINES = ("auto", *BACKENDS)
# How far an engine may be from torch in float32: root of the mean squared error over that of the network's output, or over
# LEAST where that is less: a network that sees nothing of what it takes out answers next to nothing.
TOLERANCES = {"fp32": 1e-4, "bf16": 0.05, "fp16": 0.05, "int8": 0.3}
LEAST = 0.02  # five grey levels of 256
SIDE, ROUNDS = 256, 5  # of the tile that is timed, and how often; the quickest counts


@dataclass(frozen=True)
class Trial:
    """What was found of an engine in a precision: seconds a megapixel and call, its difference from torch in float32, in units
    of the output (both root mean square), and why it is not used, None where it may be."""

    engine: str
    precision: str
    seconds: float = 0.0
    difference: float = 0.0
    refused: str | None = None

    def __str__(self) -> str:
        name = f"{self.engine} {self.precision}"
        return f"{name}: {self.refused}" if self.refused else f"{name}: {self.seconds:.2f} s/MP"


class Engine:
    """A network at work, called as a network is: (x_t, t, degraded) -> its output in float32, on the device of x_t.

    What needs a gradient is computed by torch. A call whose result is not finite in a lower precision is made again in float32,
    and counted in `redone`. notes: what to tell the user, once.
    """

    def __init__(self, loaded: Loaded, trial: Trial, call: Call, notes: tuple[str, ...] = ()) -> None:
        self.name, self.precision, self.notes = trial.engine, trial.precision, notes
        self.loaded, self.call, self.redone = loaded, call, 0
        self.exact = in_torch(loaded, "fp32")

    @property
    def dtype(self) -> torch.dtype:
        """The arithmetic of most of the work, as torch knows it; of int8, that of the rest."""
        return PRECISIONS.get(self.precision, torch.bfloat16)

    def __call__(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return the network's output, (B, 3, H, W)."""
        if self.name != "torch" and torch.is_grad_enabled() and x_t.requires_grad:
            return self.exact(x_t, t, degraded)
        found = self.call(x_t, t, degraded)
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
        again, self.redone = self.redone, 0
        notes, self.notes = self.notes, ()
        return (
            (*notes, f"{again} calls of the network overflowed in {self.precision} and were made again in fp32")
            if again
            else notes
        )


def open_engine(checkpoint: Checkpoint, device: torch.device, engine: str = "auto", precision: str = "auto") -> Engine:
    """Return the checkpoint's network at work on a device.

    engine: a name of ENGINES; auto takes the fastest one that is installed and agrees with torch. precision: fp32, bf16, fp16,
    int8; auto is bfloat16 where the processor has it and it agrees, else float32, and never int8. Raises UsageError for names
    that are none, and for an engine that is not installed or does not go with the device or the precision.
    """
    check(engine, precision)
    loaded = Loaded(checkpoint, device)
    if device.type != "cpu":
        if engine not in ("auto", "torch") or precision == "int8":
            what = f"`engine` {engine}" if engine != "auto" else f"`precision` {precision}"
            raise UsageError(f"{what} works on the processor; use `device` cpu, or `engine` torch")
        chosen = Trial("torch", precision_name(choose_precision(precision, device)))
        return Engine(loaded, chosen, in_torch(loaded, chosen.precision))
    trials, fresh = tried(loaded, wanted(engine, precision))
    usable = [trial for trial in trials if trial.refused is None]
    refusals = [f"{trial}; using another" for trial in trials if trial.refused and (fresh or engine != "auto")]
    chosen = min(usable, key=lambda trial: trial.seconds) if usable else Trial("torch", "fp32")
    return Engine(loaded, chosen, BACKENDS[chosen.engine].open(loaded, chosen.precision), tuple(refusals))


def check(engine: str, precision: str) -> None:
    """Raise UsageError for an engine or a precision that there is not, or that does not go together or is not installed."""
    known = dict.fromkeys(name for backend in BACKENDS.values() for name in backend.precisions)
    if engine not in ENGINES:
        raise UsageError(f"unknown `engine` {engine!r}; there are {', '.join(ENGINES)}")
    if precision not in ("auto", *known):
        raise UsageError(f"unknown `precision` {precision!r}; there are auto, {', '.join(known)}")
    wanted = [engine] if engine != "auto" else [name for name in BACKENDS if precision in BACKENDS[name].precisions]
    if precision == "auto":
        reasons = [BACKENDS[name].refusal("fp32") for name in wanted] if engine != "auto" else [None]
    else:
        reasons = [_unfit(name, precision) for name in wanted]
    if all(reasons):
        what = f"`engine` {engine}" if engine != "auto" else f"`precision` {precision}: {wanted[0]}"
        raise UsageError(f"{what} {reasons[0]}")


def _unfit(name: str, precision: str) -> str | None:
    """Return why an engine has no such precision, but for instructions: what is asked for by name is done, if slowly."""
    reason = BACKENDS[name].refusal(precision)
    return None if precision == "bf16" and reason and "instructions" in reason else reason


def wanted(engine: str, precision: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the engines to choose from, each with the precisions to try, the first that passes to be taken."""
    names = list(BACKENDS) if engine == "auto" else [engine]
    if precision == "auto":
        return [(name, BACKENDS[name].usual) for name in names]
    return [(name, (precision,)) for name in names if precision in BACKENDS[name].precisions]


def tried(loaded: Loaded, choices: list[tuple[str, tuple[str, ...]]]) -> tuple[list[Trial], bool]:
    """Return what is known of each choice, from the cache or from trials now, and whether something was tried now.

    A choice ends with the first precision that passes. One choice alone of torch in float32 is not tried: it is the measure.
    """
    if choices == [("torch", ("fp32",))]:
        return [Trial("torch", "fp32")], False
    name = f"{store.key(machine(), TOLERANCES, LEAST, loaded.key)}.json"
    stored = store.read_json(name)
    known = {f"{one['engine']} {one['precision']}": Trial(**one) for one in stored["trials"]} if stored else {}
    found: list[Trial] = []
    before = len(known)
    for trial in _each(loaded, choices, known):
        found.append(trial)
    if len(known) > before:
        values = {
            "machine": machine(),
            "network": loaded.checkpoint.path.stem,
            "trials": [asdict(one) for one in known.values()],
        }
        store.write_json(name, values)
    return found, len(known) > before


def _each(loaded: Loaded, choices: list[tuple[str, tuple[str, ...]]], known: dict[str, Trial]) -> Iterator[Trial]:
    for engine, precisions in choices:
        for precision in precisions:
            reason = BACKENDS[engine].refusal(precision)
            if reason is not None and ("instructions" not in reason or len(precisions) > 1):
                continue  # what is not there is no news; `irflow doctor` shows it
            trial = known.get(f"{engine} {precision}")
            if trial is None:
                trial = known[f"{engine} {precision}"] = attempt(loaded, engine, precision)
            yield trial
            if trial.refused is None:
                break


@torch.inference_mode()
def attempt(loaded: Loaded, engine: str, precision: str) -> Trial:
    """Return what is found of an engine when it computes one tile: its time, and how far it is from torch in float32."""
    if not loaded.checkpoint.card.spec.trainable:
        refused = None if engine == "torch" and precision == "fp32" else "third-party networks run in torch, in fp32 by default"
        return Trial(engine, precision, refused=refused)
    inputs = graph.example(loaded.net, SIDE)
    x_t, t = inputs[:2]
    degraded = inputs[2] if len(inputs) > 2 else None
    x_t = x_t.contiguous(memory_format=torch.channels_last)
    try:
        call = BACKENDS[engine].open(loaded, precision)
        reference, output = in_torch(loaded, "fp32")(x_t, t, degraded), call(x_t, t, degraded)
    except (Untraceable, RuntimeError, ImportError, ValueError) as error:
        return Trial(engine, precision, refused=f"does not take this network ({str(error).strip().splitlines()[0][:120]})")
    scale = reference.square().mean().sqrt().clamp_min(LEAST)
    difference = float((output - reference).square().mean().sqrt() / scale)
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call(x_t, t, degraded)
        seconds.append(time.perf_counter() - began)
    limit = TOLERANCES[precision]
    refused = None if difference <= limit else f"differs from torch in fp32 by {difference:.2g}, more than {limit:g}"
    return Trial(engine, precision, min(seconds) / (SIDE**2 / 1e6), difference, refused)


def timings() -> Iterator[tuple[str, list[Trial]]]:
    """Yield what was found on this machine, with as many threads and the same versions: networks' names and their trials."""
    for path in sorted(store.engines_folder().glob("*.json")):
        stored = store.read_json(path.name)
        if stored and stored.get("machine") == machine():
            yield stored["network"], [Trial(**one) for one in stored["trials"]]


def machine() -> str:
    """Return all that a timing hangs on beside the network: processor, threads and versions."""
    versions = [f"{name} {found}" for name in ("torch", "openvino", "onnxruntime") if (found := _version(name))]
    return f"{processor()}, {platform.machine()}, {torch.get_num_threads()} threads, {', '.join(versions)}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
