"""Frames through a pipe."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from drawn import scene

from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import ImageError, NothingToDo, UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.services.restore_raw import Frames, restore_frames


def test_frames_are_restored_as_pictures_are(settings: RestoreSettings) -> None:
    pixels = [scene(24, 40, seed) for seed in range(3)]
    stream = io.BytesIO(b"".join(one.tobytes() for one in pixels))
    done = [data for data, _ in restore_frames(stream, Frames.of("40x24"), settings)]
    expected = [Restorer(settings).restore(Picture(one.copy(), None, "PNG"))[0].pixels.tobytes() for one in pixels]
    assert done == expected
    assert done[0] != pixels[0].tobytes()
    with pytest.raises(ImageError, match=r"5 bytes into frame 2 of 40x24"):
        list(restore_frames(io.BytesIO(pixels[0].tobytes() + b"12345"), Frames.of("40x24"), settings))
    with pytest.raises(NothingToDo):
        list(restore_frames(io.BytesIO(), Frames.of("40x24"), settings))


@pytest.mark.parametrize("size", ["", "40", "0x24", "40x", "-4x4", "4x4x4", "99999x99999"])
def test_sizes_of_frames_that_are_none_are_refused(size: str) -> None:
    with pytest.raises(UsageError, match="`raw` is the size"):
        Frames.of(size)


def test_a_level_that_is_given_is_that_of_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def sample(self: Restorer, source: torch.Tensor, sigmas: list[float | None], steps: int) -> torch.Tensor:
        seen.extend(sigma or 0.0 for sigma in sigmas)
        return source

    monkeypatch.setattr(Restorer, "_sample", sample)
    settings = RestoreSettings("denoise", sigma=40, device="cpu", engine="torch")
    frames = [np.full((64, 64, 3), level, np.uint8).tobytes() for level in (10, 200)]  # without noise
    list(restore_frames(io.BytesIO(b"".join(frames)), Frames.of("64x64"), settings))
    assert seen.count(40) == 2
    seen.clear()
    Restorer(settings).restore(Picture(np.full((64, 64, 3), 10, np.uint8), None, "PNG"))
    assert 40 not in seen
