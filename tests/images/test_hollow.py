"""Zeros inside a JPEG's pixels are damage; those that flat pictures have are not."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    buffer, mode = io.BytesIO(), str(options.pop("mode", "RGB"))
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def grainy() -> np.ndarray:
    return (scene(200, 300) + np.random.default_rng(0).normal(0, 9, (200, 300, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("options", [{}, {"quality": 95}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"mode": "L"}])
@pytest.mark.parametrize("length", [20, 64, 512])
def test_zeros_inside_a_jpeg_are_its_own_failure(options: dict, length: int) -> None:
    whole, draw = jpeg(grainy(), **options), random.Random(0)
    for _ in range(20):
        start = draw.randrange(whole.rindex(b"\xff\xda") + 20, len(whole) - length - 2)
        with pytest.raises(ImageError, match=r"^a\.jpg: damaged or incomplete"):
            decode_picture(whole[:start] + bytes(length) + whole[start + length :], "a.jpg")


FLAT = {
    "white": np.full((200, 300, 3), 255, np.uint8),
    "black": np.zeros((200, 300, 3), np.uint8),
    "halves": np.repeat(np.array([[[0, 90, 255]], [[255, 255, 0]]], np.uint8), 100, 0).repeat(300, 1),
    "a slope": np.linspace(0, 255, 300).astype(np.uint8)[None, :, None].repeat(200, 0).repeat(3, 2),
    "stripes": (np.indices((200, 300)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2),
    "grain": grainy(),
}


@pytest.mark.parametrize("flat", FLAT)
@pytest.mark.parametrize("quality", [5, 75, 100])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"subsampling": 0}, {"mode": "L"}])
def test_flat_pictures_are_whole(flat: str, quality: int, options: dict) -> None:
    assert decode_picture(jpeg(FLAT[flat], quality=quality, **options), "a.jpg").notes == ()
