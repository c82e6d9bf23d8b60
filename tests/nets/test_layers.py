"""Layers of third-party networks."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from irflow_cli.nets.layers import DoublingConv, sinusoids


def test_the_doubling_convolution_sees_every_pixel_twice() -> None:
    layer, x = DoublingConv(2, 3, 3, padding=1), torch.rand(1, 2, 5, 7)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(layer(x), F.conv2d(doubled, layer.weight, layer.bias, padding=1), atol=1e-6)


def test_sines_come_first_from_the_highest_frequency_to_the_lowest() -> None:
    waves = sinusoids(torch.tensor([0.0, 2.0]), 8)
    assert waves[0].tolist() == [0.0] * 4 + [1.0] * 4
    assert waves[1, :4].tolist() == pytest.approx([math.sin(2 * 10000 ** (-place / 3)) for place in range(4)], abs=1e-6)
