"""What is measured: irflow's own methods, and the one shape that every baseline is brought into."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from irflow_cli.bench.request import Sweep
from irflow_cli.bench.sets import Corruption
from irflow_cli.engines.backends import Engine
from irflow_cli.engines.holes import Hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.prior import Prior
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import PRESETS, RestoreSettings, SamplerSettings, Schedule
from irflow_cli.engines.tiling import auto_tile
from irflow_cli.engines.upscaler import Upscaler
from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.runtime.checkpoints import Checkpoint

REVISION = 2  # raised when the same settings lead to other pixels, so that no record of old is taken for one of today
RESTORED = (4,)  # as REVISION, of what restores whole pictures: since then tiles and weak noise are treated as they are today
COPIED = (4,)  # the same, of what copies wide parts of holes: since then small objects are copied, too
BY_TASK = {"derain": (1,), "denoise": (1,)}  # the same, of tasks: of what is sound, and where a mosaic begins
HEEDED = (1,)  # the same, of a level of noise that is given: since then it counts as far as the picture bears it out
HALVED = (1,)  # the same, of holes that begin in what is found at half the size: since then it is seen from two places
LATER: dict[str, object] = {
    **{"method": "flow", "batch": None, "stop": None, "engine": "torch", "exemplar": False, "spared": 0.0},
    **{"weight": None, "scattered": None, "sigma": 0.0, "texture": False},
}
GONE = {"strength": {"source_noise": 0.0}}  # settings that there were, by the one before, and what all records have of them
REVISED = {"restora": (3,), "replacement": (3,)}  # samplers that end elsewhere than at the revision's beginning


@dataclass(frozen=True)
class Result:
    """What a method made of a picture: (H, W, 3) uint8, the seconds of the whole call, the most memory it took on top of what
    was in use, in MiB (nan where the system does not tell), and how often a prior saw a pixel that was worked on."""

    pixels: np.ndarray
    seconds: float
    mib: float
    nfe: float = float("nan")


@dataclass(frozen=True)
class Method:
    """A way to restore a picture, uint8 in and out, shaped as `Case` says.

    name, steps, variant: how its records are called; steps is 0 for what has none. identity: digits that change with anything
    that changes its results. about: one line for the reader: what it is and what it was trained on. notes: what to
    tell the user before.
    """

    name: str
    run: Callable[[np.ndarray], Result]
    identity: str
    about: str
    steps: int = 0
    variant: str = ""
    parameters: int | None = None
    notes: tuple[str, ...] = ()


def our_methods(settings: RestoreSettings, sweep: Sweep, name: str = "irflow") -> list[Method]:
    """Return a method for every combination of settings of a checkpoint; the network is loaded once. Raises as `Restorer`
    does."""
    found, checkpoint = [], None
    combinations = itertools.product(sweep.samplers, sweep.grids, sweep.strengths, sweep.steps)
    for sampler, grid, strength, steps in combinations:
        chosen = replace(settings, steps=steps, grid=grid, strength=strength, sampler=sampler)
        restorer = Restorer(chosen, checkpoint)
        checkpoint = restorer.checkpoint
        determining = _settings_of(
            replace(
                chosen,
                checkpoint=None,
                device=str(restorer.device),
                ensemble=bool(chosen.ensemble),  # as in records from before there was a third answer
                **computed_by(restorer.engine),
            )
        )
        parts = {
            str(sampler): sampler is not None,
            f"{grid} grid": grid is not None,
            f"strength {strength:g}": strength != 1,
            "8 views": settings.ensemble is True,
            "1 view": settings.ensemble is False,
        }
        found.append(
            Method(
                name=name,
                run=_runner(restorer),
                identity=identity_of(
                    REVISION,
                    *_weights_of(checkpoint),
                    auto_tile(restorer.device),
                    determining,
                    *RESTORED,
                    *BY_TASK.get(checkpoint.card.task, ()),
                    *(HEEDED if chosen.sigma is not None and chosen.method == "flow" else ()),
                    *filter(None, (restorer.twice, restorer.least and restorer.task.more)),
                ),
                about=_about(checkpoint),
                steps=steps,
                variant=", ".join(part for part, holds in parts.items() if holds),
                parameters=sum(weight.numel() for weight in checkpoint.net.parameters()),
                notes=restorer.engine.remarks(),
            )
        )
    return found


def computed_by(engine: Engine) -> dict[str, str]:
    """Return the engine and the precision that are used, as settings. Those of torch in float32 are spelled as in records from
    before there were others."""
    plain = (engine.name, engine.precision) == ("torch", "fp32")
    return {"engine": engine.name, "precision": "auto" if plain else engine.precision}


def _settings_of(settings: RestoreSettings | SamplerSettings | Schedule) -> dict[str, object]:
    """Return all settings that determine results. Entries of LATER are left out where they say nothing, so that records stored
    before they were thought of still count; those of GONE are there as they were."""
    found: dict[str, object] = {}
    for name, value in asdict(settings).items():
        if LATER.get(name, ...) != value:
            found |= {name: value, **GONE.get(name, {})}
    return found


def _weights_of(checkpoint: Checkpoint) -> tuple[object, ...]:
    """Return all of a checkpoint that determines its results: not what its card tells of its making."""
    return checkpoint.card.digest, checkpoint.card.spec.to_dict(), checkpoint.card.sigma_max


def prior_methods(
    settings: RestoreSettings, presets: tuple[str, ...], corruptions: tuple[Corruption, ...], name: str = "irflow"
) -> list[Method]:
    """Return a method for every preset of a prior, for the task inpaint or upscale. Raises as `Prior` does."""
    found, checkpoint = [], None  # loaded once
    for preset in presets:
        chosen = replace(
            parse_preset(preset),
            device=settings.device,
            engine=settings.engine,
            precision=settings.precision,
            checkpoint=settings.checkpoint,
            sigma=settings.sigma or 0.0,
        )
        if settings.task == "inpaint":
            inpainter = Inpainter(chosen, checkpoint)
            prior, work = inpainter.prior, partial(_filled, inpainter)
        else:
            upscaler = Upscaler(chosen, int(corruptions[0].severity), corruptions[0].name.partition(":")[0], checkpoint)
            prior, work = upscaler.prior, partial(_enlarged, upscaler)
        checkpoint = prior.checkpoint
        determining = _settings_of(replace(chosen, checkpoint=None, device=str(prior.device), **computed_by(prior.engine)))
        found.append(
            Method(
                name=name,
                run=_counted(in_process(work, prior.device), prior),
                identity=identity_of(
                    REVISION,
                    *_weights_of(prior.checkpoint),
                    determining,
                    _settings_of(prior.schedule),
                    settings.task,
                    *REVISED.get(prior.schedule.sampler, ()),
                    *(COPIED if prior.schedule.exemplar else ()),
                    *(HALVED if prior.schedule.pyramid else ()),
                ),
                about=_about(prior.checkpoint),
                steps=prior.schedule.steps,
                variant=preset,
                parameters=sum(weight.numel() for weight in prior.net.parameters()),
                notes=prior.engine.remarks(),
            )
        )
    return found


def parse_preset(text: str) -> SamplerSettings:
    """Return the settings of a preset's name or of SAMPLER[=WEIGHT]:STEPS[:CORRECTIONS[:START[:STOP]]], such as restora:64:1 or
    pnp=0.5:100:1; else UsageError."""
    if text in PRESETS:
        return SamplerSettings(text)
    try:
        sampler, steps, *rest = text.split(":")
        if len(rest) > 3:
            raise ValueError(text)
        corrections, start = int(rest[0]) if rest else None, float(rest[1]) if len(rest) > 1 else 0.0
        stop = float(rest[2]) if len(rest) > 2 else None
        name, equals, weight = sampler.partition("=")
        settings = SamplerSettings("paper", name, int(steps), corrections, start, stop, float(weight) if equals else None)
    except ValueError:
        known = ", ".join(PRESETS)
        raise UsageError(
            f"`presets` is a list of {known}, or SAMPLER=WEIGHT:STEPS:CORRECTIONS:START:STOP; got {text!r}"
        ) from None
    settings.check()
    return settings


def _counted(run: Callable[[np.ndarray], Result], prior: Prior) -> Callable[[np.ndarray], Result]:
    """Return `run` with the calls of the network for a pixel: one at half the size counts a quarter."""

    def counted(pixels: np.ndarray) -> Result:
        prior.evaluated = prior.worked = 0
        result = run(pixels)
        return replace(result, nfe=prior.evaluated / max(1, prior.worked))  # without a hole there is nothing to ask

    return counted


def _filled(inpainter: Inpainter, pixels: np.ndarray) -> np.ndarray:
    inside = pixels[..., 3] == 0
    return inpainter.fill(Picture(np.ascontiguousarray(pixels[..., :3]), None, "PNG"), Hole(inside)).rgb8()


def _enlarged(upscaler: Upscaler, pixels: np.ndarray) -> np.ndarray:
    return upscaler.enlarge(Picture(pixels, None, "PNG")).rgb8()


def our_checkpoint(path: Path, settings: RestoreSettings, sweep: Sweep) -> list[Method]:
    """Return the methods of another checkpoint of irflow, called by its file's name."""
    return our_methods(replace(settings, checkpoint=str(path)), sweep, f"irflow {path.stem}")


def _runner(restorer: Restorer) -> Callable[[np.ndarray], Result]:
    def work(pixels: np.ndarray) -> np.ndarray:
        return restorer.restore(Picture(pixels.copy(), None, "PNG"))[0].rgb8()

    return in_process(work, restorer.device)


def _about(checkpoint: Checkpoint) -> str:
    card = checkpoint.card
    trained = f"{card.minutes:g} minutes, the last {card.trained.get('iterations', 0)} iterations"
    rain = " and rain layers" if card.trained.get("rain_layers") else ""
    data = card.trained.get("pictures") or card.trained.get("data", "unknown pictures")
    return f"{checkpoint.path.name} ({card.digest[:12]}), trained on {data}{rain}: {trained}"


def identity_of(*parts: object) -> str:
    """Return twelve hexadecimal digits of anything that prints the same when it is the same."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def in_process(work: Callable[[np.ndarray], np.ndarray], device: torch.device | None = None) -> Callable[[np.ndarray], Result]:
    """Return `work` with its time and memory: the device's on CUDA, the process's elsewhere (Linux)."""
    cuda = device is not None and device.type == "cuda"

    def run(pixels: np.ndarray) -> Result:
        before = _start_counting(device if cuda else None)
        began = time.perf_counter()
        result = work(pixels)
        seconds = time.perf_counter() - began
        peak = torch.cuda.max_memory_allocated(device) / 2**20 if cuda else memory("VmHWM")
        return Result(result, seconds, float(np.maximum(0.0, peak - before)))  # nan stays nan

    return run


def _start_counting(cuda: torch.device | None) -> float:
    """Forget past peaks and return the MiB in use now."""
    if cuda is not None:
        torch.cuda.reset_peak_memory_stats(cuda)
        return torch.cuda.memory_allocated(cuda) / 2**20
    try:
        ctypes.CDLL(None).malloc_trim(0)  # else memory that was freed, but not given back, hides what is taken again
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError, TypeError):
        return float("nan")
    return memory("VmRSS")


def memory(entry: str, process: int | str = "self") -> float:
    """Return the memory of a process in MiB: "VmRSS" now, "VmHWM" at most; nan where /proc does not tell."""
    try:
        return int(Path(f"/proc/{process}/status").read_text().split(f"{entry}:")[1].split()[0]) / 2**10
    except (OSError, IndexError):
        return float("nan")
