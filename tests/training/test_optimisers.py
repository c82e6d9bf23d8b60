"""The rate over a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from irflow_cli.training.optimisers import lr_factor
from irflow_cli.training.options import TrainRequest


def test_the_rate_warms_up_stays_and_falls(request_: TrainRequest) -> None:
    stable, decaying = request_, replace(request_, decay=0.5)
    assert lr_factor(0.0, 0, stable) == 0.25
    assert lr_factor(0.9, 1000, stable) == lr_factor(0.4, 1000, decaying) == 1
    assert lr_factor(0.75, 1000, decaying) == pytest.approx(0.5)
    assert lr_factor(1.0, 1000, decaying) == 0
