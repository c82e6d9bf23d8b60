"""torch's defaults do not count, and stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn import scene

from irflow_cli import Inpainter, Restorer


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16, "meta", "usual"])
def test_defaults_of_torch_do_not_count_and_stay(tiny_checkpoint, default: object) -> None:
    picture, hole = scene(24, 32), np.eye(24, 32, dtype=bool)
    expected = Restorer("derain", checkpoint=tiny_checkpoint("derain"))(picture)
    filled = Inpainter(checkpoint=tiny_checkpoint("prior"))(picture, hole)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    if isinstance(default, torch.dtype):
        torch.set_default_dtype(default)
    elif default == "meta":
        torch.set_default_device("meta")
    try:
        set_to = torch.get_default_dtype(), torch.get_default_device()
        assert np.array_equal(Restorer("derain", checkpoint=tiny_checkpoint("derain"))(picture), expected)
        assert np.array_equal(Inpainter(checkpoint=tiny_checkpoint("prior"))(picture, hole), filled)
        assert (torch.get_default_dtype(), torch.get_default_device()) == set_to
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert torch.equal(torch.get_rng_state(), before)
