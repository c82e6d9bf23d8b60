"""Arrays and tensors share memory; shapes are checked once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from irflow_cli.tensors import array_of, check_image, luma, match_dims, tensor_of, to_device


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (2, 5, 7, 4)])
def test_arrays_become_tensors_and_come_back_over_the_same_memory(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    tensor = tensor_of(values)
    assert tensor.shape == ({4: shape[0]}.get(len(shape), 1), {2: 1}.get(len(shape), shape[-1]), 5, 7)
    assert np.array_equal(array_of(tensor).reshape(shape), values)
    tensor[:] = 0
    assert not values.any()


def test_values_come_to_a_device_in_a_type() -> None:
    for values in ([1.5, 2], np.array([1.5, 2]), torch.tensor([1.5, 2])):
        there = to_device(values, torch.device("cpu"), torch.bfloat16)
        assert there.dtype == torch.bfloat16
        assert there.tolist() == [1.5, 2]
    assert to_device([1, 2], torch.device("cpu")).dtype == torch.int64


def test_numbers_fit_a_batch_or_are_refused() -> None:
    like = torch.zeros(2, 3, 4, 4)
    assert match_dims(0.5, like).shape == ()
    assert match_dims(torch.tensor([1.0, 2.0]), like).shape == (2, 1, 1, 1)
    with pytest.raises(ValueError, match="one value or 2 values"):
        match_dims(torch.ones(3), like)


@pytest.mark.parametrize("image", [torch.zeros(3, 4, 4), torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 4, 4, dtype=torch.uint8)])
def test_what_is_no_image_is_refused(image: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected a float image"):
        check_image(image)


def test_luma_goes_from_16_to_235() -> None:
    ends = luma(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(-1, 3, -1, -1))
    assert (255 * ends).flatten().tolist() == pytest.approx([16, 235], abs=1e-3)
