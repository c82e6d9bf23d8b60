"""What checkpoints there are, what they say of themselves, and how others come in and go out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.nets import OfficialSpec, PriorSpec, Spec
from irflow_cli.runtime.checkpoints import (
    PREDICTS,
    PRIOR,
    Card,
    file_digest,
    known_checkpoints,
    read_card,
    resolve,
    save_checkpoint,
)
from irflow_cli.runtime.convert import Foreign, read_foreign
from irflow_cli.tasks import TASKS


@dataclass(frozen=True)
class Known:
    """A checkpoint file with its card, or with what is wrong with it."""

    path: Path
    card: Card | None
    error: str | None = None


@dataclass(frozen=True)
class ConvertRequest:
    """A foreign file of weights, and what it does not say of itself.

    output: None for a .safetensors file beside it. task, sigma_max (0-255 scale): what the network was trained for; a flow
    prior has neither. order: of the channels it was shown. size: side of the pictures of a prior, None to tell it from its
    levels.
    """

    source: Path
    output: Path | None = None
    task: str | None = None
    sigma_max: float | None = None
    order: str = "bgr"
    size: int | None = None
    licence: str = "that of its authors"
    overwrite: bool = False


def list_checkpoints() -> list[Known]:
    """Return the shipped and the cached checkpoints; a damaged one is in the list with its error."""
    return [_look(path) for path in known_checkpoints()]


def show_checkpoint(name: str) -> Known:
    """Return one checkpoint with its card. Raises CheckpointError when it is missing or damaged."""
    path = resolve(name)
    return Known(path, read_card(path))


def convert_checkpoint(request: ConvertRequest) -> Path:
    """Write the weights of a foreign file as a checkpoint, in float32, and return its path.

    Raises CheckpointError when the file holds anything but a network known here, UsageError when the request does not fit it.
    """
    target = request.output or request.source.with_suffix(".safetensors")
    if target.exists() and not request.overwrite:
        raise UsageError(f"{target} exists; use --overwrite or another output")
    foreign = read_foreign(request.source)
    card = Card(
        task=_task_of(foreign, request),
        spec=_spec_of(foreign, request),
        sigma_max=request.sigma_max,
        predicts=foreign.family.predicts,
        trained={"converted_from": request.source.name, "sha256": file_digest(request.source)},
        licence=request.licence,
    )
    save_checkpoint(target, foreign.weights, card, dtype=torch.float32)
    return target


def _task_of(foreign: Foreign, request: ConvertRequest) -> str:
    """Return the task of a converted network, or raise UsageError."""
    title, tasks = foreign.family.title, PREDICTS[foreign.family.predicts]
    task = request.task or (PRIOR if tasks == (PRIOR,) else None)
    noisy = task in TASKS and TASKS[task].sigma_max is not None
    rules = {
        f"{request.source} is {title}; give the --task it was trained for: {', '.join(tasks)}": task in tasks,
        "give --sigma-max, the noise the network was trained on (25 or 50 in IR-Flow's settings)": not noisy
        or request.sigma_max,
        f"--sigma-max goes from 1 to 255, got {request.sigma_max}": 1 <= (request.sigma_max or 1) <= 255,
        f"--sigma-max has no meaning for {task}; leave it out": noisy or request.sigma_max is None,
    }
    for message, holds in rules.items():
        if not holds:
            raise UsageError(message)
    return str(task)


def _spec_of(foreign: Foreign, request: ConvertRequest) -> Spec:
    """Return the spec of a converted network with what its weights do not tell, or raise UsageError."""
    spec = foreign.spec
    if isinstance(spec, OfficialSpec):
        spec = replace(spec, order=request.order)
    if isinstance(spec, PriorSpec):
        spec = replace(spec, size=request.size or spec.size)
    try:
        spec.check()
    except ValueError as error:
        raise UsageError(str(error)) from None
    return spec


def _look(path: Path) -> Known:
    try:
        return Known(path, read_card(path))
    except CheckpointError as error:
        return Known(path, None, str(error))
