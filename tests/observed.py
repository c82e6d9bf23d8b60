"""Two drawn pictures, and every way in which they may be observed."""

from __future__ import annotations

import torch

from irflow_cli.flow.observations import OPERATORS, Observation, masked

SHAPE = (2, 3, 12, 12)
CLEAN = torch.rand(SHAPE, generator=torch.Generator().manual_seed(3))
KNOWN = (torch.rand((2, 1, 12, 12), generator=torch.Generator().manual_seed(4)) < 0.4).float()
SMALL = torch.nn.functional.avg_pool2d(CLEAN, 3)
OBSERVATIONS: dict[str, Observation] = {
    "mask": masked(CLEAN, KNOWN),
    "nothing": masked(CLEAN, torch.zeros(2, 1, 12, 12)),
    "all": masked(CLEAN, torch.ones(2, 1, 12, 12)),
    **{name: make(SMALL, 3) for name, make in OPERATORS.items()},
}
