"""A larger network that begins as a smaller one: the same function, with room to learn more."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from irflow_cli.errors import CheckpointError
from irflow_cli.nets import Network


@torch.no_grad()
def grow(small: Network, large: Network) -> None:
    """Give `large` the function of `small`: wider levels, more blocks and more inputs change nothing until they are trained.

    Old channels get their old weights, and nothing from new ones. New channels keep their fresh weights, which look at old
    channels alone; what leads on from them learns at once, and they a step later. New blocks are fresh, and such pass features
    on as they are. As Net2Net (arXiv 1511.05641), by zeros in place of copies. Raises CheckpointError where `large` is smaller
    somewhere, and where it is wider and normalises its features, which mixes old channels with new ones.
    """
    ours = dict(large.named_modules())
    for name, old in small.named_modules():
        new = ours.get(name)
        if new is None or not isinstance(new, type(old)):
            raise CheckpointError(f"the network to begin with has {name}, which the new one lacks; it cannot grow into that")
        if isinstance(old, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            parts = 2 if name.endswith("modulation") else 1
            _widen(name, old, new, parts, transposed=isinstance(old, nn.ConvTranspose2d))  # type: ignore[arg-type]
        else:
            _copy(name, old, new)


def _copy(name: str, old: nn.Module, new: nn.Module) -> None:
    """Write what a module itself has learnt into another of its kind."""
    there = dict(new.named_parameters(recurse=False))
    for key, value in old.named_parameters(recurse=False):
        if there[key].shape != value.shape:
            raise CheckpointError(f"the network to begin with has another width in {name}; it can grow in depth alone")
        there[key].copy_(value)


def _widen(name: str, old: nn.Conv2d | nn.Linear, new: nn.Conv2d | nn.Linear, parts: int, transposed: bool) -> None:
    """Write an old layer into a wider one. parts: its outputs are so many equal groups, each of which grows."""
    before = old.weight.transpose(0, 1) if transposed else old.weight  # (out, in, ...)
    after = new.weight.transpose(0, 1) if transposed else new.weight
    outputs, inputs = (after.shape[axis] - before.shape[axis] for axis in (0, 1))
    if outputs < 0 or inputs < 0 or before.shape[2:] != after.shape[2:]:
        raise CheckpointError(f"the network to begin with is larger in {name}; leave `size` out, or begin with a smaller one")
    for part in range(parts):
        rows, there = _group(before.shape[0], parts, part), _group(after.shape[0], parts, part, before.shape[0] // parts)
        after[there, : before.shape[1]] = before[rows]
        after[there, before.shape[1] :] = 0
        _copy_bias(old.bias, new.bias, rows, there)


def _group(total: int, parts: int, part: int, length: int | None = None) -> slice:
    size = total // parts
    return slice(part * size, part * size + (length or size))


def _copy_bias(old: Tensor | None, new: Tensor | None, rows: slice, there: slice) -> None:
    if old is not None and new is not None:
        new[there] = old[rows]
