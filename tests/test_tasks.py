"""The menu holds together."""

from __future__ import annotations

import pytest

from irflow_cli.flow.samplers import ORDERS, SAMPLERS
from irflow_cli.flow.times import GRIDS
from irflow_cli.tasks import TASKS
from irflow_cli.training.sampling import PARTS


@pytest.mark.parametrize("name", TASKS)
def test_entries_name_what_exists(name: str) -> None:
    task = TASKS[name]
    assert task.grid in GRIDS
    assert task.sampler in SAMPLERS
    assert task.steps >= 1
    assert task.prior != (sum(part.share for part in PARTS.get(name, ())) == pytest.approx(1))


def test_every_sampler_states_its_order() -> None:
    assert ORDERS.keys() == SAMPLERS.keys()


def test_less_noise_enters_the_path_later() -> None:
    starts = [TASKS["denoise"].start(sigma) for sigma in (None, 80, 55, 25, 5, 0)]
    assert starts[:3] == [0, 0, 0]
    assert starts[3] == pytest.approx(1 - 25 / 55)
    assert starts[3] < starts[4] < starts[5] < 1
    assert TASKS["derain"].start(25) == 0
