"""The flow prior of PnP-Flow and Restora-Flow. Its answers are held against its authors' in runtime/test_convert.py."""

from __future__ import annotations

import torch

from irflow_cli.nets import PriorSpec, build
from irflow_cli.nets.flow_prior import SelfAttention

SMALL = PriorSpec(multipliers=(1, 2), blocks=1, attention=(1,), size=32)


def test_its_contract_is_that_of_the_paper() -> None:
    contract = build(SMALL).contract
    assert (contract.predicts, contract.range, contract.noise) == ("velocity", (-1.0, 1.0), (0.5, 0.5))
    assert (contract.size, contract.multiple, contract.time_map) == (32, 2, False)


def test_attention_looks_everywhere() -> None:
    torch.manual_seed(0)
    layer, features = SelfAttention(32).eval(), torch.rand(1, 32, 6, 6)
    changed = features.clone()
    changed[..., 0, 0] += 1
    with torch.no_grad():
        moved = (layer(changed) - layer(features)).abs().amax((0, 1))
    assert bool((moved > 0).all())
