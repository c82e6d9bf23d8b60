"""Pictures made smaller: what upscaling has to undo. One table, by the names of `flow.observations.OPERATORS`."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F


def area(clean: Tensor, scale: int) -> Tensor:
    """Return the means of blocks of `scale` x `scale` pixels of pictures (B, C, H, W); what is left of a block is cut off."""
    return F.avg_pool2d(clean, scale)


def grid(clean: Tensor, scale: int) -> Tensor:
    """Return every `scale`-th pixel of every `scale`-th row of pictures (B, C, H, W); what is left of a block is cut off."""
    height, width = (side // scale * scale for side in clean.shape[-2:])
    return clean[..., :height:scale, :width:scale]


SHRINKS: dict[str, Callable[[Tensor, int], Tensor]] = {"area": area, "grid": grid}
