"""The network that IR-Flow's authors published."""

from __future__ import annotations

import pytest
import torch

from irflow_cli.flow.times import make_times
from irflow_cli.nets.official import thousandths

# What IR-Flow's released network is asked at in a trajectory of N steps: its own grids for 2, 3 and 4, else N equal parts of
# 1000 whose fractions are cut off.
ASKED = {
    1: [1000],
    2: [1000, 200],
    3: [1000, 200, 100],
    4: [1000, 500, 250, 50],
    5: [1000, 800, 600, 400, 200],
    6: [1000, 833, 666, 500, 333, 166],
    7: [1000, 857, 714, 571, 428, 285, 142],
    8: [1000, 875, 750, 625, 500, 375, 250, 125],
    9: [1000, 888, 777, 666, 555, 444, 333, 222, 111],
    10: [1000, 900, 800, 700, 600, 500, 400, 300, 200, 100],
}


@pytest.mark.parametrize("steps", ASKED)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_published_network_is_asked_at_its_own_times(steps: int, dtype: torch.dtype) -> None:
    times = make_times("released", steps).to(dtype)
    assert thousandths(times[:-1]).tolist() == ASKED[steps]
