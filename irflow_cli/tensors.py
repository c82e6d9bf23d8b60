"""Shapes and ranges of tensors, said once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def match_dims(values: Tensor | float, like: Tensor) -> Tensor:
    """Return `values` shaped so that it multiplies `like` sample by sample.

    A number or a tensor of shape () stays one value; shape (B,) becomes (B, 1, 1, 1) for a `like` of four axes.
    Raises ValueError when the batch sizes differ.
    """
    values = torch.as_tensor(values, dtype=like.dtype, device=like.device)
    if values.ndim == 0:
        return values
    if values.shape != like.shape[:1]:
        raise ValueError(f"expected one value or {like.shape[0]} values, got shape {tuple(values.shape)}")
    return values.reshape(-1, *[1] * (like.ndim - 1))


def to_device(values: Any, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Return values, numbers or a tensor or an array on the host, as a tensor on a device.

    The host does not wait for a GPU's copy. An Apple GPU is waited for: it may read the values after they are gone.
    """
    return torch.as_tensor(values).to(device, dtype, non_blocking=device.type != "mps")


def check_image(image: Tensor) -> Tensor:
    """Return `image` unchanged when it is float, (B, C, H, W) with C 1 or 3; raise ValueError otherwise."""
    if image.ndim != 4 or image.shape[1] not in (1, 3) or not image.is_floating_point():
        raise ValueError(f"expected a float image (B, 1 or 3, H, W), got {image.dtype} {tuple(image.shape)}")
    return image


def luma(image: Tensor) -> Tensor:
    """Return BT.601 luma in video range, (B, 1, H, W) in [16/255, 235/255], of RGB in [0, 1], as deraining papers do."""
    red, green, blue = image.unbind(1)
    return ((65.481 * red + 128.553 * green + 24.966 * blue + 16.0) / 255.0).unsqueeze(1)


def tensor_of(values: np.ndarray) -> Tensor:
    """Return an array (H, W), (H, W, C) or (B, H, W, C) as a tensor (B, C, H, W) over the same memory."""
    values = values[..., None] if values.ndim == 2 else values
    return torch.from_numpy(values if values.ndim == 4 else values[None]).permute(0, 3, 1, 2)


def array_of(tensor: Tensor) -> np.ndarray:
    """Return a tensor (B, C, H, W) as an array (B, H, W, C) over the same memory."""
    return tensor.permute(0, 2, 3, 1).numpy()
