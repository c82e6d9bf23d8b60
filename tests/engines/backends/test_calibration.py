"""Pictures that int8 is measured on."""

from __future__ import annotations

import torch
from loaded import checkpoint

from irflow_cli.engines.backends.calibration import calibration_set


def test_calibration_pictures_are_those_of_the_task_and_repeatable() -> None:
    known = checkpoint(condition=True)
    first, second = (list(calibration_set(known, count=8)) for _ in range(2))
    assert all(torch.equal(one, other) for pair in zip(first, second, strict=True) for one, other in zip(*pair, strict=True))
    for x_t, t, degraded in first:
        assert x_t.shape == degraded.shape == (1, 3, 128, 128)
        assert 0 <= float(t) < 1
        assert x_t.std() > 0.01
    assert len({float(t) for _, t, _ in first}) > 4
