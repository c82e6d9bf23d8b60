"""What checkpoints there are, what they say of themselves, and how others come in and go out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import torch

from irflow_cli.errors import CheckpointError, UsageError, require
from irflow_cli.nets import Spec
from irflow_cli.regular import digest_regular
from irflow_cli.runtime.checkpoints import (
    PREDICTS,
    PRIOR,
    Card,
    cached_path,
    known_checkpoints,
    load_checkpoint,
    read_card,
    resolve,
    save_checkpoint,
)
from irflow_cli.runtime.convert import ThirdParty, read_third_party
from irflow_cli.runtime.download import (
    SHA256,
    address_of,
    download,
    origin_of,
    origin_path,
    part_path,
    rejected_paths,
    set_aside,
)
from irflow_cli.runtime.places import cache_folder, shipped_folder
from irflow_cli.tasks import NAME as OWN
from irflow_cli.tasks import TASKS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]

THIRD_PARTY = (".pth", ".pt", ".ckpt", ".bin", ".pkl")


@dataclass(frozen=True)
class Known:
    """A checkpoint file with its card, or with what is wrong with it."""

    path: Path
    card: Card | None
    error: str | None = None


@dataclass(frozen=True)
class Verified:
    """A checkpoint file, the sha256 of its bytes, and what is wrong with it, if anything."""

    path: Path
    sha256: str | None
    error: str | None


@dataclass(frozen=True)
class ConvertRequest:
    """A third-party file of weights, and what it does not say of itself.

    output: None for a .safetensors file beside it. task, sigma_max (0-255 scale): what the network was trained for; a flow
    prior has neither. order: of the channels that a network of IR-Flow was shown, None for bgr, its authors' own. size: side of
    the pictures of a prior, None to read it from its levels.
    """

    source: Path
    output: Path | None = None
    task: str | None = None
    sigma_max: float | None = None
    order: str | None = None
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


def pull_checkpoint(
    source: str, name: str | None = None, sha256: str | None = None, progress: Callable[[float], None] = lambda share: None
) -> Verified:
    """Return the checkpoint at an https:// or hf:// address, brought into the cache unless it is there already.

    name: in the cache, None for that of the file. sha256: what the file must have. Raises UsageError for what makes no sense,
    CheckpointError when it cannot be had or is not what it should be.
    """
    url, file = address_of(source), PurePosixPath(urlsplit(source).path)
    sha256 = sha256.lower() if sha256 else None
    if sha256 and not SHA256.fullmatch(sha256):
        raise UsageError("`sha256` takes 64 hexadecimal digits")
    if file.suffix in THIRD_PARTY:
        raise UsageError(f"{source} is no checkpoint of irflow; get it yourself, then run `irflow models convert {file.name}`")
    target = cached_path(name or file.name.lower().replace("_", "-"))
    if (shipped_folder() / target.name).exists():
        raise UsageError(f"{target.stem} is the name of a checkpoint that ships with irflow; give another `name`")
    if target.exists():
        return _present(target, url, sha256)
    origin = download(url, target, load_checkpoint, sha256, progress)
    return Verified(target, origin.sha256, None)


def verify_checkpoints(names: list[str]) -> Iterator[Verified]:
    """Yield what a full reading says of the checkpoints called `names`, or of all: header, tensors, digest, sha256 of the file.

    A file of the cache that is not what it should be is set aside.
    """
    manifest = shipped_folder() / "manifest.toml"
    entries = tomllib.loads(manifest.read_text()).values() if manifest.is_file() else ()
    shipped = {shipped_folder() / entry["file"]: entry["sha256"] for entry in entries}
    for name in names or known_checkpoints():
        try:
            path = name if isinstance(name, Path) else resolve(name)
        except CheckpointError as error:
            yield Verified(Path(str(name)), None, str(error))
            continue
        origin = origin_of(path)
        yield _verify(path, origin.sha256 if origin else shipped.get(path))


def remove_checkpoint(name: str) -> Path:
    """Remove a checkpoint from the cache and return the path that it had. Raises UsageError, CheckpointError."""
    path = cached_path(name)
    if not path.is_file() and (shipped_folder() / path.name).is_file():
        raise UsageError(f"{path.stem} ships with irflow and is not in the cache; it stays")
    remains = [part_path(path), *rejected_paths(path)]
    if not (path.exists() or any(other.exists() for other in remains)):
        raise CheckpointError(f"there is no {path.stem} in the cache; `irflow models list` shows what there is")
    try:
        path.unlink(missing_ok=True)
        for other in (origin_path(path), *remains):
            other.unlink(missing_ok=True)
    except OSError as error:
        raise CheckpointError(f"cannot remove {path}: {error.strerror or error}") from None
    return path


def convert_checkpoint(request: ConvertRequest) -> Path:
    """Write the weights of a third-party file as a checkpoint, in float32, and return its path.

    Raises CheckpointError when the file holds anything but a network known here, UsageError when the request does not fit it.
    """
    if not request.source.is_file():
        raise CheckpointError(f"{request.source} is no file; give a .pth or .pt file of weights")
    target = request.output or request.source.with_suffix(".safetensors")
    require(target.suffix == ".safetensors", f"a checkpoint ends in .safetensors, got {target.name!r}; give another `output`")
    require(target.resolve() != request.source.resolve(), f"{target} is the file to convert; give another `output`")
    require(not target.exists() or request.overwrite, f"{target} exists; use `overwrite` or another `output`")
    third_party = read_third_party(request.source)
    card = Card(
        task=_task_of(third_party, request),
        spec=_spec_of(third_party, request),
        sigma_max=request.sigma_max,
        predicts=third_party.family.predicts,
        trained={"converted_from": request.source.name, "sha256": digest_regular(request.source)},
        licence=request.licence,
    )
    save_checkpoint(target, third_party.weights, card, dtype=torch.float32)
    return target


def _present(target: Path, url: str, sha256: str | None) -> Verified:
    """Return the checkpoint that is in the cache already; raise UsageError if it is not the one that was asked for."""
    origin, found = origin_of(target), digest_regular(target)
    if found != sha256 and (sha256 or not origin or origin.url != url or origin.sha256 != found):
        raise UsageError(
            f"{target} is there already and is another one; give a `name`, or first run `irflow models rm {target.stem}`"
        )
    return Verified(target, found, None)


def _verify(path: Path, expected: str | None) -> Verified:
    try:
        found = digest_regular(path)
        if expected and found != expected:
            raise CheckpointError(f"{path} is not what it was: sha256 {found}, expected {expected}")
        load_checkpoint(path)
    except OSError as error:
        return Verified(path, None, f"{path}: {error.strerror or error}")
    except CheckpointError as error:
        return Verified(path, None, f"{error}{_put_aside(path)}")
    return Verified(path, found, None)


def _put_aside(path: Path) -> str:
    """Set a file of the cache aside, and no other; return what to tell the user about it."""
    if path.parent != cache_folder():
        return ""
    try:
        return f"; it was set aside as {set_aside(path, path)}"
    except OSError as error:
        return f"; it cannot be set aside ({error.strerror or error})"


def _task_of(third_party: ThirdParty, request: ConvertRequest) -> str:
    """Return the task of a converted network, or raise UsageError."""
    title, predicts = third_party.family.title, third_party.family.predicts
    tasks = tuple(name for name in PREDICTS[predicts] if (name == PRIOR) == (predicts == "velocity"))
    task = request.task or (PRIOR if tasks == (PRIOR,) else None)
    noisy = task in TASKS and TASKS[task].sigma_max is not None
    own = PRIOR not in tasks and task is not None and task not in TASKS and OWN.fullmatch(task)
    names = ", ".join(tasks) + (", or a name of your own" if PRIOR not in tasks else "")
    require(task in tasks or own, f"{request.source} is {title}; give the `task` it was trained for: {names}")
    require(
        not noisy or request.sigma_max,
        "give `sigma_max`, the noise the network was trained on (25 or 50 in IR-Flow's settings)",
    )
    require(1 <= (request.sigma_max or 1) <= 255, f"`sigma_max` goes from 1 to 255, got {request.sigma_max}")
    require(noisy or request.sigma_max is None, f"`sigma_max` has no meaning for {task}; leave it out")
    return str(task)


def _spec_of(third_party: ThirdParty, request: ConvertRequest) -> Spec:
    """Return the spec of a converted network with what cannot be read from its weights, or raise UsageError."""
    spec = third_party.spec
    for name in ("order", "size"):
        known = name in spec.unstated or getattr(request, name) is None
        require(known, f"`{name}` has no meaning for {third_party.family.title}; leave it out")
    given = {name: value for name in spec.unstated if (value := getattr(request, name)) is not None}
    spec = replace(spec, **given)
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
