"""Frames through a pipe."""

from __future__ import annotations

import io

import pytest
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
