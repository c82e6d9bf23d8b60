"""What every block of the U-Net must keep."""

from __future__ import annotations

import pytest
import torch

from irflow_cli.nets.blocks import BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_fresh_blocks_change_nothing(block: str) -> None:
    features = torch.rand(2, 8, 6, 5)
    assert torch.equal(BLOCKS[block](8, 4)(features, torch.rand(2, 4)), features)
