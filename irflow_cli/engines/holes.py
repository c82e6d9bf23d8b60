"""Holes: the pixels of a picture that are to be filled."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from irflow_cli.errors import ImageError, UsageError
from irflow_cli.kinds import check_kind


@dataclass(frozen=True)
class Hole:
    """What is to be filled, inside (H, W), bool, and how much of the filling shows, weight (H, W) float32: 0 outside, 1 in the
    hole and between in its feathered edge; None where it has none."""

    inside: np.ndarray
    weight: np.ndarray | None = None


def check_spread(dilate: int, feather: int) -> None:
    """Raise UsageError for pixels of growth or edge that make no sense."""
    for name, pixels in (("dilate", dilate), ("feather", feather)):
        check_kind(name, pixels, "int")
        if not 0 <= pixels <= 500:
            raise UsageError(f"`{name}` goes from 0 to 500, got {pixels}")


def spread_hole(inside: np.ndarray, dilate: int = 0, feather: int = 0) -> Hole:
    """Return the hole (H, W), bool, grown by `dilate` pixels, with an edge of `feather` pixels around it. Raises ImageError
    where these leave nothing outside."""
    whole = inside.all()  # which is no fault of theirs
    if dilate:
        inside = distance_to(inside) <= dilate + 1e-3
    weight = np.clip(1 - distance_to(inside) / (feather + 1), 0, 1).astype(np.float32) if feather else None
    hole = Hole(inside if weight is None else weight > 0, weight)
    if hole.inside.all() and not whole:
        names = " and ".join(f"`{name}`" for name, pixels in (("dilate", dilate), ("feather", feather)) if pixels)
        raise ImageError(f"the hole is all of the picture, with so many pixels of {names}; give fewer")
    return hole


def distance_to(inside: np.ndarray) -> np.ndarray:
    """Return how far every pixel is from the hole, in pixels."""
    return cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
