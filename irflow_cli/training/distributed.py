"""Several processes that train one network together, as torchrun starts them; a group of one where nothing started them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class ProcessGroup:
    """The place of this process among `size` of them. The first, of rank 0, writes the files and speaks."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def all_reduce_mean(self, tensors: Iterable[Tensor]) -> None:
        """Put in place of each tensor its mean over all processes. Every process has tensors of the same shapes."""
        if self.size == 1:
            return
        own = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in own])
        distributed.all_reduce(flat)
        for tensor, mean in zip(own, (flat / self.size).split([tensor.numel() for tensor in own]), strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def all_reduce_max(self, value: float, device: torch.device) -> float:
        """Return the largest of the values that the processes have."""
        if self.size == 1:
            return value
        largest = torch.tensor(value, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return float(largest)

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the group, without an error after the others have come this far. One that just ends may be aborted by the
        threads of the group, and its exit code is lost."""
        if self.size > 1:
            if error is None:
                distributed.barrier()
            distributed.destroy_process_group()


def is_first() -> bool:
    """Return whether this process is the first of those that were started together, or alone."""
    return _size() == 1 or os.environ.get("RANK", "0") == "0"


def join_group(device: torch.device) -> tuple[ProcessGroup, torch.device]:
    """Return the group that the environment (torchrun's RANK, WORLD_SIZE, LOCAL_RANK) names, joined, and this process's device.

    `cuda` becomes the GPU of this process's number. Without such an environment it is a group of one.
    """
    size = _size()
    if size == 1:
        return ProcessGroup(), device
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return ProcessGroup(distributed.get_rank(), size), device


def _size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))
