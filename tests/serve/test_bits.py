"""Masks as bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from irflow_cli.errors import UsageError
from irflow_cli.serve.bits import Bits


@given(arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_bits_are_the_mask(inside: np.ndarray) -> None:
    bits = Bits.of(inside)
    assert np.array_equal(bits.inside(inside.shape), inside)
    if inside.any():
        assert Bits.read(bits.message(), inside.shape) == bits


@pytest.mark.parametrize("change", ["short", "long", "aside", "below", "flat", "header"])
def test_bits_that_do_not_fit_are_refused(change: str) -> None:
    inside = np.zeros((20, 30), bool)
    inside[4:9, 5:25] = True
    bits = Bits.of(inside)
    wrong = {
        "short": replace(bits, packed=bits.packed[:-1]),
        "long": replace(bits, packed=bits.packed + b"x"),
        "aside": replace(bits, left=11),
        "below": replace(bits, top=2**32 - 1),
        "flat": replace(bits, height=0, packed=b""),
    }
    data = b"123" if change == "header" else wrong[change].message()
    with pytest.raises(UsageError):
        Bits.read(data, inside.shape)
