"""JPEG in tensors is what libjpeg does."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image

from irflow_cli.degradations.jpeg import compress
from irflow_cli.tensors import array_of, tensor_of


@pytest.mark.parametrize("quality", [20, 55, 90])
@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_a_picture_is_compressed_as_libjpeg_does(quality: int, halved: bool, grey: bool) -> None:
    pixels = scene(61, 83)[..., 0] if grey else scene(61, 83)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0" if halved else "4:4:4")
    theirs = np.asarray(Image.open(file)).astype(float).reshape(*pixels.shape[:2], -1)
    clean = tensor_of(pixels.astype(np.float32) / 255)
    ours = 255 * array_of(compress(clean, torch.tensor([quality]), torch.tensor([halved])))[0]
    lost = np.abs(theirs - pixels.reshape(theirs.shape)).mean()
    assert lost > 1
    assert np.abs(ours - theirs).mean() < 0.35 * lost  # they differ in their rounding, and in how colours are enlarged
