"""Checkpoints: one .safetensors file that says all of itself in its header. No pickle anywhere.

The header's entry `irflow` is JSON: schema, task, predicts ("residual", or of other networks "velocity" or "clean"), range,
spec (of the network), sigma_max, trained (pictures, recipe, iterations, ...), scores, licence, irflow (version), digest
(sha256 of the tensors).
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import irflow_cli
from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.nets import Network, Spec, build, spec_of
from irflow_cli.regular import open_regular
from irflow_cli.runtime.files import write_atomically
from irflow_cli.runtime.places import cache_folder, checkpoints_in, shipped_folder
from irflow_cli.tasks import NAME as TASK
from irflow_cli.tasks import TASKS

SCHEMA = 1
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
MAX_HEADER = 2**21  # bytes; a network of MAX_TENSORS needs as many, ours a twentieth
MAX_TENSORS, MAX_AXES = 2**14, 8
PYTORCH = (b"PK\x03\x04", b"\x80\x02\x8a\n")  # how files of torch.save begin, today and in old versions
LARGEST = 2**32  # bytes of a file of weights; a file on a disk may be a hole of any size
STORED = (torch.float8_e4m3fn, torch.float16, torch.bfloat16, torch.float32, torch.float64)  # types of weights in a file
SECOND = "confidence."  # how the names of a second network's weights begin
PRIOR = "prior"  # task of a network that knows clean pictures alone; the restoration tasks are in TASKS
PREDICTS = {
    "residual": tuple(TASKS),
    "velocity": (PRIOR,),
    "clean": tuple(TASKS),
}  # what a network predicts, and the tasks it can then be for


@dataclass(frozen=True)
class Card:
    """What a checkpoint says of itself."""

    task: str
    spec: Spec
    sigma_max: float | None = None
    predicts: str = "residual"
    range: tuple[float, float] = (0.0, 1.0)
    trained: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    irflow: str = irflow_cli.__version__
    digest: str = ""
    schema: int = SCHEMA

    @property
    def minutes(self) -> float:
        """How long it was trained, the checkpoints that it started from included."""
        return round(self.trained.get("minutes", 0) + self.trained.get("minutes_before", 0), 1)

    def to_json(self) -> str:
        """Return the header's text."""
        return json.dumps({**asdict(self), "spec": self.spec.to_dict()}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Return the card of a header's text. Raises ValueError that names what is wrong."""
        values = json.loads(text)
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            raise ValueError(f"header schema is not {SCHEMA}; it was written by another version of irflow")
        missing = {"task", "spec", "predicts", "range"} - set(values)
        unknown = set(values) - set(cls.__dataclass_fields__)
        if missing or unknown:
            raise ValueError(f"header lacks {sorted(missing)}" if missing else f"header has unknown {sorted(unknown)}")
        if not _can_be_for(values["task"], values["predicts"]) or list(values["range"]) != [0.0, 1.0]:
            raise ValueError(f"task {values['task']!r}, predicts {values['predicts']!r}, range {values['range']} is not known")
        card = cls(**{**values, "spec": spec_of(values["spec"]), "range": (0.0, 1.0)})
        types = {"sigma_max": (int, float, type(None)), "trained": dict, "scores": dict, "licence": str, "digest": str}
        strange = [name for name, kind in types.items() if not isinstance(getattr(card, name), kind)]
        if strange:
            raise ValueError(f"header entry {strange[0]} is not of its type")
        if isinstance(card.sigma_max, bool) or not (card.sigma_max is None or 0 < card.sigma_max <= 255):
            raise ValueError(f"header entry sigma_max is above 0 and up to 255, got {card.sigma_max!r}")
        return card


def _can_be_for(task: Any, predicts: Any) -> bool:
    """Return whether a network can be for a task: those of PREDICTS, and one of somebody's own."""
    if not isinstance(task, str) or not isinstance(predicts, str) or predicts not in PREDICTS:
        return False
    own = predicts != "velocity" and len(task) <= 64 and TASK.fullmatch(task) is not None
    return own or task in PREDICTS[predicts]


@dataclass(frozen=True)
class Checkpoint:
    """A network with its weights, ready to run on the CPU, and its card."""

    net: Network
    card: Card
    path: Path
    moved: dict[torch.device, Network] = field(default_factory=dict, repr=False, compare=False)

    def on(self, device: torch.device) -> Network:
        """Return the network on a device: itself on the CPU, and one copy for each other, shared by all who use it there."""
        if device.type != "cpu" and device not in self.moved:
            self.moved[device] = copy.deepcopy(self.net).to(device)
        return self.moved.get(device, self.net)


def resolve(name: str) -> Path:
    """Return the file of a checkpoint: of the name of a shipped one, or of one in the cache, or else a path that exists.

    A name comes before a file of that name in the current folder; `./NAME` is the file. Raises CheckpointError that says where
    it looked.
    """
    stem = name.removesuffix(".safetensors")
    places = [folder / f"{stem}.safetensors" for folder in (shipped_folder(), cache_folder())]
    for place in places if NAME.fullmatch(name) and stem == name else ():
        if place.is_file():
            return place
    with contextlib.suppress(OSError, RuntimeError):  # a name too long for a file, a home that does not exist
        path = Path(name).expanduser()
        if path.is_file():
            return path
    if not NAME.fullmatch(stem):
        raise CheckpointError(f"checkpoint {name} does not exist; give a .safetensors file or a name from `irflow models`")
    for place in places:
        if place.is_file():
            return place
    raise CheckpointError(
        f"checkpoint {name} is neither a file, nor shipped, nor in {places[-1].parent}; `irflow models` lists those there are"
    )


def cached_path(name: str) -> Path:
    """Return where a checkpoint called `name` lies in the cache, or would. Raises UsageError for a name that could leave it."""
    stem = name.removesuffix(".safetensors")
    if not NAME.fullmatch(stem):
        raise UsageError(f"{name!r} is no name: up to 64 of a-z, 0-9, dot and hyphen, with a letter or number first")
    return cache_folder() / f"{stem}.safetensors"


def known_checkpoints() -> list[Path]:
    """Return the shipped and cached checkpoint files, sorted by place and name."""
    return checkpoints_in(shipped_folder(), cache_folder())


def read_card(path: Path) -> Card:
    """Return the card in the header of a checkpoint file, without reading its weights. Raises CheckpointError."""
    return _read(path, weights=False)[0]


def load_checkpoint(name: str | Path) -> Checkpoint:
    """Return the checkpoint called `name` (see `resolve`), its network in float32, in evaluation mode, on the CPU.

    Raises CheckpointError when the file is damaged, its header does not fit the schema, or its tensors do not fit the
    network that the header describes.
    """
    path = resolve(str(name))
    card, weights = _read(path, weights=True)
    small = next((tensor.dtype for tensor in weights.values() if tensor.dtype not in STORED), None)
    if small is not None:
        raise CheckpointError(f"{path} holds weights of {small}; irflow does not read those, save it as float16")
    digest = digest_of(weights)
    if card.digest not in ("", digest):
        raise CheckpointError(f"{path} is damaged: its weights are not those its header was written for; get it again")
    weights = {key: tensor.float() for key, tensor in weights.items()}
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise CheckpointError(f"{path} holds weights that are no numbers; train it again with a lower `rate`, or get another")
    net = sketch(card.spec)  # without weights of its own: none are drawn, and no default of torch counts
    net.load_state_dict(weights, assign=True)
    net = net.to(memory_format=torch.channels_last) if net.contract.channels_last else net  # pyright: ignore[reportCallIssue]
    return Checkpoint(net.eval().requires_grad_(False), replace(card, digest=digest), path)


def sketch(spec: Spec) -> Network:
    """Return the network of a spec without memory for its weights."""
    with torch.device("meta"):
        return build(spec)


@functools.lru_cache(8)
def _shapes_of(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights that the network of a spec has."""
    return {key: tuple(tensor.shape) for key, tensor in sketch(spec).state_dict().items()}


def misfits(spec: Spec, shapes: dict[str, tuple[int, ...] | None]) -> list[str]:
    """Return the names of tensors that the network of `spec` and those of `shapes` do not have in common, or in another shape;
    None is the shape of what are no weights, but whole numbers.

    The network is only sketched, not made: a header that asks for a gigantic one costs nothing.
    """
    expected = _shapes_of(spec)
    return sorted(key for key in expected.keys() | shapes.keys() if expected.get(key) != shapes.get(key))


def _read(path: Path, *, weights: bool) -> tuple[Card, dict[str, Tensor]]:
    try:
        with open_weights(path) as file:
            header = (file.metadata() or {}).get("irflow")
            if header is None:
                raise CheckpointError(f"{path} was not made by irflow: its header has no entry `irflow`")
            card = Card.from_json(header)
            if weights:
                _check_shapes(path, card, file)
            tensors = {key: file.get_tensor(key) for key in file.keys()} if weights else {}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file ({error}); get it again") from None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    return card, tensors


def _check_shapes(path: Path, card: Card, file: safe_open) -> None:
    """Raise CheckpointError, before any of them is read, for tensors that are not those of the network in the header."""
    shapes: dict[str, tuple[int, ...] | None] = {}
    for key in file.keys():  # noqa: SIM118
        part = file.get_slice(key)
        shapes[key] = tuple(part.get_shape()) if part.get_dtype().startswith(("F", "BF")) else None
    wrong = misfits(card.spec, shapes)
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise CheckpointError(f"{path}: tensor {wrong[0][:80]!r}{more} is missing or does not fit the network in the header")


def open_weights(path: Path) -> safe_open:
    """Return a safetensors file opened for reading, whose header costs no more than a network's does.

    Raises OSError, SafetensorError, and CheckpointError for a file of more than LARGEST bytes, and for a header that is longer
    than the file, has too many tensors or tensors of too many axes: the reader takes hundreds of bytes for each byte of it.
    """
    with open_regular(path) as file:
        head, size = file.read(8), os.fstat(file.fileno()).st_size
        length = int.from_bytes(head, "little")
        if size > LARGEST:
            raise CheckpointError(f"{path} has {size / 2**20:.0f} MiB, more than any checkpoint here; it is not opened")
        if head.startswith(PYTORCH):
            raise CheckpointError(f"{path} is a file of PyTorch's; `irflow models convert` reads the weights it knows")
        if length > min(MAX_HEADER, size - 8):
            raise CheckpointError(f"{path} is damaged or no safetensors file (its header claims {length} bytes); get it again")
        try:
            entries = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise CheckpointError(f"{path} is damaged or no safetensors file (its header is no JSON); get it again") from None
    tensors = [entry for entry in entries.values() if isinstance(entry, dict)] if isinstance(entries, dict) else []
    axes = [entry.get("shape") for entry in tensors]
    if len(tensors) > MAX_TENSORS or any(isinstance(shape, list) and len(shape) > MAX_AXES for shape in axes):
        raise CheckpointError(f"{path} has more tensors than any network here, or tensors of more axes; it is not opened")
    return safe_open(path, framework="pt")


def digest_of(tensors: dict[str, Tensor]) -> str:
    """Return the sha256, in hexadecimal, of the tensors' names and bytes in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_checkpoint(path: Path, weights: dict[str, Tensor], card: Card, dtype: torch.dtype = torch.float16) -> None:
    """Write weights as `dtype`, and card to one file, atomically; a file already there is replaced.

    Of a second network, which says in a few steps how far to believe the first, matrices are written in 8 bits in place of 16.
    """
    small = torch.float8_e4m3fn if dtype == torch.float16 else dtype
    kept = {
        key: tensor.detach().to("cpu", small if key.startswith(SECOND) and tensor.ndim > 1 else dtype).contiguous()
        for key, tensor in weights.items()
    }
    card = replace(card, digest=digest_of(kept))
    write_atomically(path, save(kept, {"irflow": card.to_json()}), overwrite=True)
