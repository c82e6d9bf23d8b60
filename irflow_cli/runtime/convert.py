"""Third-party weights, in PyTorch's own format, brought into the names and shapes of `nets`. No code in them
runs."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import skip_data

from irflow_cli.errors import CheckpointError
from irflow_cli.nets import OfficialSpec, PriorSpec, Spec
from irflow_cli.runtime.checkpoints import misfits
from irflow_cli.runtime.pickles import check_cost

Weights = dict[str, Tensor]

# Where files keep their weights: averaged ones come before others. Wrapped networks put a word before every name.
CONTAINERS = ("ema", "params_ema", "model_ema", "state_dict", "params", "model")
DEEPEST = 8  # containers within each other; a dictionary may hold itself
SHARED = 4  # times that the weights of a file may be its size: some networks use a tensor twice
BESIDE, FREE = 16, 2**26  # times its weights that a file may have, for states of an optimiser and others, and bytes beside
LONGEST = 256  # characters of a tensor's name
PREFIXES = ("ema_model.", "module.", "model.")


@dataclass(frozen=True)
class Family:
    """A kind of third-party network.

    mark: the tensor that it is known by. names: pairs of a pattern and what takes its place, which turn their names of tensors
    into ours, each used where it fits. spec: the network's shape, read from renamed tensors.
    """

    title: str
    predicts: str
    mark: str
    names: tuple[tuple[str, str], ...]
    spec: Callable[[Weights], Spec]


@dataclass(frozen=True)
class ThirdParty:
    """Weights under our names, the family they are of, and the shape of their network."""

    family: Family
    spec: Spec
    weights: Weights


def read_third_party(path: Path) -> ThirdParty:
    """Return the weights in a .pth or .pt file. Raises CheckpointError when it holds anything else, or a network not known.

    Names and shapes are read first, and the numbers only where these are a network's.
    """
    _recognised(path, numbers=False)
    third_party, names = _recognised(path, numbers=True)
    endless = [names[key] for key, tensor in third_party.weights.items() if not tensor.isfinite().all()]
    if endless:
        raise CheckpointError(f"{path} is damaged: {endless[0]!r} holds values that are no numbers")
    whole = {key: tensor.clone() for key, tensor in third_party.weights.items()}  # no two share their memory
    return replace(third_party, weights=whole)


def _recognised(path: Path, *, numbers: bool) -> tuple[ThirdParty, dict[str, str]]:
    """Return the network in a file, and by our names of tensors theirs; without `numbers` its tensors have shapes alone."""
    theirs = _unwrapped(_unpickled(path, numbers=numbers), path)
    family = next((family for family in FAMILIES if family.mark in theirs), None)
    if family is None:
        there = ", ".join(repr(key) for key in list(theirs)[:3])
        known = " and ".join(family.title for family in FAMILIES)
        raise CheckpointError(f"{path} holds no network known here ({there}, ...); there are {known}")
    names = {_renamed(key, family): key for key in theirs}
    weights = {ours: theirs[key] for ours, key in names.items()}
    try:
        spec = family.spec(weights)
        spec.check()
    except (KeyError, IndexError, ValueError) as error:
        raise CheckpointError(f"{path} looks like {family.title}, but its shape is unclear ({error})") from None
    wrong = misfits(spec, {key: tuple(one.shape) if one.is_floating_point() else None for key, one in weights.items()})
    if wrong or len(names) < len(theirs):
        named = repr(names.get(wrong[0], wrong[0])) if wrong else "a tensor that is there twice"
        raise CheckpointError(f"{path} looks like {family.title}, but {named} is missing, unknown or of another shape")
    size, there = sum(tensor.numel() * tensor.element_size() for tensor in weights.values()), path.stat().st_size
    if size > SHARED * there:  # views of the same few numbers again and again
        raise CheckpointError(f"{path} names weights of {size / 2**20:.0f} MiB, which are not in it; it cannot be converted")
    if there > BESIDE * size + FREE:
        more = f"has {there / 2**20:.0f} MiB, and its network {size / 2**20:.1f} of them"
        raise CheckpointError(f"{path} {more}; save the network's state_dict() alone")
    return ThirdParty(family, spec, weights), names


def _unpickled(path: Path, *, numbers: bool) -> Any:
    """Return what is in a file of PyTorch's format, as far as it is tensors and plain values; raise CheckpointError. Without
    `numbers`, tensors are on no device, and none of theirs is read."""
    try:
        with warnings.catch_warnings(), contextlib.nullcontext() if numbers else skip_data():
            warnings.simplefilter("ignore")
            check_cost(path)
            return torch.load(path, map_location="cpu" if numbers else "meta", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # a damaged pickle can raise anything; nothing of it has been executed
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            f"{path} is damaged or holds more than weights, and was not opened ({reason[0][:120]}); "
            "only files that torch.load reads with weights_only=True can be converted"
        ) from None


def _unwrapped(content: Any, path: Path) -> Weights:
    """Return the named tensors inside the containers and wrappers that training programs put around them."""
    for _ in range(DEEPEST):
        if not isinstance(content, dict):
            break
        inner = next((content[key] for key in CONTAINERS if isinstance(content.get(key), dict)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, dict) or not content or not all(isinstance(key, str) and len(key) <= LONGEST for key in content):
        raise CheckpointError(f"{path} holds no weights by name; save the network's state_dict()")
    while prefix := next((word for word in PREFIXES if any(str(key).startswith(word) for key in content)), None):
        content = {key.removeprefix(prefix): value for key, value in content.items() if str(key).startswith(prefix)}
    strange = [key for key, value in content.items() if not isinstance(value, Tensor) or value.layout != torch.strided]
    if strange:
        raise CheckpointError(f"{path} holds {strange[0]!r}, which is no tensor; save the network's state_dict()")
    return {str(key): value.detach() for key, value in content.items()}


def _renamed(key: str, family: Family) -> str:
    for pattern, ours in family.names:
        key = re.sub(pattern, ours, key)
    return key


def _official_spec(weights: Weights) -> OfficialSpec:
    levels = {key.split(".")[1] for key in weights if key.startswith("encoder.")}
    return OfficialSpec(width=weights["entry.weight"].shape[0], depth=len(levels))


def _prior_spec(weights: Weights) -> PriorSpec:
    """Return the spec of a prior. Its authors look at features of 16 x 16, which tells for which pictures it is: where no level
    but the middle has attention, those of 256 x 256."""
    width, levels = weights["entry.weight"].shape[0], len({key.split(".")[1] for key in weights if key.startswith("encoder.")})
    outs = [weights[f"encoder.{level}.0.0.second.weight"].shape[0] for level in range(levels)]
    looks = tuple(level for level in range(levels) if f"encoder.{level}.0.1.query.weight" in weights)
    blocks = len({key.split(".")[2] for key in weights if key.startswith("encoder.0.")})
    return PriorSpec(
        width=width,
        multipliers=tuple(out // width for out in outs),
        blocks=blocks,
        attention=looks,
        size=16 * 2 ** looks[0] if looks else 256,
    )


OFFICIAL = Family(
    title="IR-Flow's published network",
    predicts="residual",
    mark="init_conv.weight",
    names=(
        (r"^init_conv\.", "entry."),
        (r"^time_mlp\.1\.", "time.0."),
        (r"^time_mlp\.3\.", "time.2."),
        (r"^downs\.(\d+)\.([01])\.", r"encoder.\1.\2.0."),
        (r"^downs\.(\d+)\.2\.", r"encoder.\1.1.1."),
        (r"^downs\.(\d+)\.3\.", r"down.\1."),
        (r"^ups\.(\d+)\.([01])\.", r"decoder.\1.\2.0."),
        (r"^ups\.(\d+)\.2\.", r"decoder.\1.1.1."),
        (r"^ups\.(\d+)\.3\.(1\.)?", r"up.\1."),
        (r"^mid_block1\.", "middle.0.0."),
        (r"^mid_attn\.", "middle.0.1."),
        (r"^mid_block2\.", "middle.1.0."),
        (r"^final_res_block\.", "last."),
        (r"^final_conv\.", "exit."),
        (r"\.mlp\.1\.", ".modulation."),
        (r"\.block1\.proj\.", ".first."),
        (r"\.block2\.proj\.", ".second."),
        (r"\.res_conv\.", ".shortcut."),
        (r"\.fn\.norm\.g$", ".norm.gain"),
        (r"\.fn\.fn\.to_qkv\.", ".qkv."),
        (r"\.fn\.fn\.to_out\.0\.", ".out."),
        (r"\.fn\.fn\.to_out\.1\.g$", ".out_norm.gain"),
    ),
    spec=_official_spec,
)

FLOW_PRIOR = Family(
    title="the flow prior of PnP-Flow and Restora-Flow",
    predicts="velocity",
    mark="begin_conv.weight",
    names=(
        (r"^temb_net\.main\.", "time."),
        (r"^begin_conv\.", "entry."),
        (r"^down_modules\.(\d+)\.\1a_(\d+)a_block\.", r"encoder.\1.\2.0."),
        (r"^down_modules\.(\d+)\.\1a_(\d+)b_attn\.", r"encoder.\1.\2.1."),
        (r"^down_modules\.(\d+)\.\1b_downsample\.", r"down.\1."),
        (r"^up_modules\.(\d+)\.\d+a_(\d+)a_block\.", r"decoder.\1.\2.0."),
        (r"^up_modules\.(\d+)\.\d+a_(\d+)b_attn\.", r"decoder.\1.\2.1."),
        (r"^up_modules\.(\d+)\.\d+b_upsample\.up_conv\.", r"up.\1."),
        (r"^mid_modules\.0\.", "middle.0.0."),
        (r"^mid_modules\.1\.", "middle.0.1."),
        (r"^mid_modules\.2\.", "middle.1.0."),
        (r"^end_conv\.0\.", "norm."),
        (r"^end_conv\.2\.", "exit."),
        (r"\.temb_proj\.", ".time."),
        (r"\.norm1\.", ".norms.0."),
        (r"\.norm2\.", ".norms.1."),
        (r"\.conv1\.", ".first."),
        (r"\.conv2\.", ".second."),
        (r"\.attn_q\.", ".query."),
        (r"\.attn_k\.", ".key."),
        (r"\.attn_v\.", ".value."),
        (r"\.proj_out\.", ".out."),
    ),
    spec=_prior_spec,
)

FAMILIES = (OFFICIAL, FLOW_PRIOR)
