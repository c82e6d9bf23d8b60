"""Degradations that nothing was trained on."""

from __future__ import annotations

import pytest
import torch
from drawn import scene

from irflow_cli.bench.sets import parse_degrade, unit
from irflow_cli.bench.unseen import UNSEEN
from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.training.sampling import PARTS


@pytest.mark.parametrize("name", UNSEEN)
def test_unseen_degradations_are_repeatable_and_not_trained_on(name: str) -> None:
    clean = unit(scene(50, 60))
    entry = UNSEEN[name]
    one, again = (entry.apply(clean, torch.tensor([entry.severity]), torch.Generator().manual_seed(3)) for _ in range(2))
    other = entry.apply(clean, torch.tensor([entry.severity]), torch.Generator().manual_seed(4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == clean.shape
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1
    assert 0.003 < float((one - clean).abs().mean()) < 0.25
    assert name not in DEGRADATIONS
    assert name not in {part.kind for parts in PARTS.values() for part in parts}
    assert name in {corruption.name for corruption in parse_degrade("unseen", entry.task)}
