"""Masks on their way between the page and the server: the rows of a box, a bit a pixel."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np

from irflow_cli.errors import UsageError

HEADER = struct.Struct("<4I")  # left, top, width and height of the box


@dataclass(frozen=True)
class Bits:
    """A mask that is empty outside of a box. packed: the box's pixels row by row, the first one in the highest bit, without
    gaps between rows."""

    left: int
    top: int
    width: int
    height: int
    packed: bytes

    @staticmethod
    def of(inside: np.ndarray) -> Bits:
        """Return the bits of a mask (H, W), bool."""
        left, top, width, height = cv2.boundingRect(inside.view(np.uint8))
        box = inside[top : top + height, left : left + width]
        return Bits(left, top, width, height, np.packbits(box).tobytes())

    @staticmethod
    def read(data: bytes, size: tuple[int, ...]) -> Bits:
        """Return the bits in a message. Raises UsageError for one that does not fit a picture of a size (H, W), or is empty."""
        if len(data) < HEADER.size:
            raise UsageError("the mask is cut short; send it again")
        left, top, width, height = HEADER.unpack_from(data)
        packed = data[HEADER.size :]
        if width == 0 or height == 0:
            raise UsageError("the mask is empty; paint what is to be filled")
        if left + width > size[1] or top + height > size[0] or len(packed) != -(-width * height // 8):
            raise UsageError("the mask does not fit the picture; reload the page")
        return Bits(left, top, width, height, packed)

    def message(self) -> bytes:
        """Return the bits as `read` wants them."""
        return HEADER.pack(self.left, self.top, self.width, self.height) + self.packed

    def inside(self, size: tuple[int, ...]) -> np.ndarray:
        """Return the mask (H, W), bool."""
        flat = np.unpackbits(np.frombuffer(self.packed, np.uint8), count=self.width * self.height)
        whole = np.zeros(size, bool)
        whole[self.top : self.top + self.height, self.left : self.left + self.width] = flat.reshape(self.height, self.width)
        return whole
