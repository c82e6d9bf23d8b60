"""The state of a training run in a file: all that the next iteration depends on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.regular import is_there, open_regular
from irflow_cli.runtime.checkpoints import Card, open_weights, read_card, resolve
from irflow_cli.runtime.device import out_of_memory
from irflow_cli.runtime.files import write_atomically
from irflow_cli.training.options import FREE, LAST, TrainRequest
from irflow_cli.training.origin import Origin

if TYPE_CHECKING:
    from irflow_cli.training.loop import Run


def save_state(run: Run, path: Path, card: Card) -> None:
    """Write everything that the next iteration depends on."""
    tensors = {f"net.{key}": value for key, value in run.net.state_dict().items()}
    tensors |= {f"average.{key}": value for key, value in run.averaged.state_dict().items()}
    for name, parameter in run.net.named_parameters():
        for optimiser in run.optimisers:
            for key, value in optimiser.state.get(parameter, {}).items():
                tensors[f"optimiser.{key}.{name}"] = value
    note = {"iteration": run.iteration, "seconds": run.seconds, "best": run.best}
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    data = save(contiguous, {"irflow": card.to_json(), "run": json.dumps(note)})
    write_atomically(path, data, overwrite=True)


def load_state(run: Run, path: Path, request: TrainRequest) -> None:
    """Read what `save_state` wrote. Raises CheckpointError when it is damaged or of another network, UsageError when it was
    begun with other options than the request has."""
    with resuming(path):
        with open_weights(path) as file:
            note = json.loads(file.metadata()["run"])
            card = Card.from_json(file.metadata()["irflow"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        _same_options(request, card.trained)
        try:
            run.net.load_state_dict(_below(tensors, "net."))
        except RuntimeError:
            raise UsageError(f"{request.out} trains a network of another `size` than the one asked for; leave it out") from None
        run.averaged.load_state_dict(_below(tensors, "average."))
        owner = {p: o for o in run.optimisers for group in o.param_groups for p in group["params"]}
        for name, parameter in run.net.named_parameters():
            for key in ("step", "exp_avg", "exp_avg_sq", "momentum"):
                value = tensors.get(f"optimiser.{key}.{name}")
                if value is not None:
                    moved = value.to(parameter.device)
                    like = torch.empty_like(parameter) if moved.ndim else moved
                    owner[parameter].state[parameter][key] = like.copy_(moved)
        run.iteration, run.seconds, run.best = note["iteration"], note["seconds"], note["best"]
    run.origin = Origin.kept(card, request.data)


@contextmanager
def resuming(path: Path) -> Iterator[None]:
    """Read a state inside of it. Raises CheckpointError, which says how to go on without it, for one that cannot be read."""
    try:
        open_regular(path).close()
        yield
        return
    except OSError as error:
        why = error.strerror or str(error)
    except (SafetensorError, CheckpointError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if out_of_memory(error):  # which is no fault of the state's
            raise
        why = "damaged, or not the state of a run"
    last = path.with_name(LAST)
    start = f" and `init` {last}" if is_there(last) else ""
    raise CheckpointError(f"{path} cannot be resumed ({why}); begin again without `resume`, with another `output`{start}")


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _same_options(request: TrainRequest, trained: dict[str, Any]) -> None:
    """Raise UsageError where the request has other options than the run was begun with, as its card says."""
    begun, layers = trained.get("recipe", {}), trained.get("rain_layers")
    if layers is not None and layers != (request.rain_layers is not None):
        way = "give them again" if layers else "leave them out"
        raise UsageError(f"`rain_layers`: {request.out} was begun with{'' if layers else 'out'} them; {way}")
    begun_from = trained.get("started_from", "")
    if request.init and begun_from is None:
        raise UsageError(f"`init`: {request.out} was begun with a network from scratch; leave it out")
    if request.init and begun_from and _digest_of(request.init) not in ("", begun_from):
        raise UsageError(f"`init`: {request.out} was begun with another network; leave it out")
    for key, value in begun.items():
        if key not in FREE and getattr(request, key, value) != value:
            raise UsageError(f"{request.out} was begun with `{key}` {value}, and goes on with that alone")


def _digest_of(checkpoint: str) -> str:
    """Return the digits of a checkpoint's weights; none where it is gone."""
    try:
        return read_card(resolve(checkpoint)).digest
    except CheckpointError:
        return ""
