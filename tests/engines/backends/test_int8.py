"""Networks in int8."""

from __future__ import annotations

import re

import pytest
import torch
from loaded import CPU, checkpoint

from irflow_cli.engines.backends import open_engine, store
from irflow_cli.engines.backends.calibration import calibration_set
from irflow_cli.engines.backends.int8 import SUMS
from irflow_cli.engines.backends.table import BACKENDS, Loaded


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
    assert store.read(f"{engine.loaded.key}.int8.bin") is not None


def test_the_way_up_and_its_sums_are_not_quantised() -> None:
    reason = BACKENDS["openvino"].refusal("int8")
    if reason:
        pytest.skip(f"openvino {reason}")
    from irflow_cli.engines.backends.parts import read

    operations = read(Loaded(checkpoint()).int8()).get_ops()
    sums = [one for one in operations if re.fullmatch(SUMS, one.get_friendly_name())]
    ways = [one for one in operations if one.get_type_name() == "ConvolutionBackpropData"]
    taken = {one.get_source_output().get_node().get_type_name() for operation in sums for one in operation.inputs()}
    assert (len(sums), "FakeQuantize" in taken) == (len(ways), False)
    assert any(one.get_type_name() == "FakeQuantize" for one in operations)
