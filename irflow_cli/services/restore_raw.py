"""Frames of a video, as they come through a pipe: rgb24 in, rgb24 out, one after another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import ImageError, NothingToDo, UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.tasks import MAX_PIXELS


class Frames(NamedTuple):
    """The size of frames in pixels. A frame is width x height x 3 bytes: red, green and blue, row by row from the top."""

    width: int
    height: int

    @classmethod
    def of(cls, text: str, max_pixels: int = MAX_PIXELS) -> Frames:
        """Return the size that `WIDTHxHEIGHT` says. Raises UsageError."""
        match = re.fullmatch(r"([1-9][0-9]{0,6})x([1-9][0-9]{0,6})", text.strip().lower())
        if not match or int(match[1]) * int(match[2]) > max_pixels:
            most = f"with up to {max_pixels} pixels (`max_pixels` raises the limit)"
            raise UsageError(f"`raw` is the size of a frame, such as 1920x1080, {most}; got {text!r}")
        return cls(int(match[1]), int(match[2]))

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return 3 * self.width * self.height


def restore_frames(source: BinaryIO, frames: Frames, settings: RestoreSettings) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """Yield each frame restored, as bytes, and what to tell the user of it; as many are in memory as share a call.

    Raises as `Restorer` does before any is read; NothingToDo where there is none, ImageError where the last one is not whole,
    after those before it.
    """
    restorer, count = Restorer(settings), 0
    restorer.believed = None  # a level that is given is that of all frames: it would flicker if each had its own
    together = restorer.batch_size(_picture(bytes(frames.size), frames))
    while True:
        data = _read(source, together * frames.size)
        whole, rest = divmod(len(data), frames.size)
        pictures = [_picture(data[at : at + frames.size], frames) for at in range(0, whole * frames.size, frames.size)]
        for picture, notes in restorer.restore_batch(pictures) if pictures else ():
            yield picture.pixels.tobytes(), notes
        count += whole
        if rest:
            raise ImageError(
                f"standard input ended {rest} bytes into frame {count + 1} of {frames.width}x{frames.height} rgb24 "
                f"({frames.size} bytes); check `raw` and the pixel format"
            )
        if whole < together:
            break
    if not count:
        raise NothingToDo("standard input held no frame")


def _read(source: BinaryIO, size: int) -> bytes:
    try:
        return source.read(size)
    except OSError as error:
        raise ImageError(f"standard input: {error.strerror or error}") from None


def _picture(data: bytes, frames: Frames) -> Picture:
    return Picture(np.frombuffer(data, np.uint8).reshape(frames.height, frames.width, 3), None, "PNG")
