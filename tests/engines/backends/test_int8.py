"""Networks in int8."""

from __future__ import annotations

import pytest
import torch
from loaded import CPU, checkpoint

from irflow_cli.engines.backends import open_engine, store
from irflow_cli.engines.backends.calibration import calibration_set
from irflow_cli.engines.backends.table import BACKENDS


def test_int8_is_close_and_kept() -> None:
    reason = BACKENDS["openvino"].refusal("int8")
    if reason:
        pytest.skip(f"openvino {reason}")
    known = checkpoint(condition=True)
    engine = open_engine(known, CPU, "auto", "int8")
    assert (engine.name, engine.precision) == ("openvino", "int8")
    x_t, t, degraded = next(calibration_set(known))
    with torch.no_grad():
        exact, found = known.net(x_t, t, degraded), engine(x_t, t, degraded)
    assert 0 < float((found - exact).square().mean().sqrt()) < 0.2 * float(exact.square().mean().sqrt())
    assert store.read(f"{engine.loaded.key}.picture8.bin") is not None
