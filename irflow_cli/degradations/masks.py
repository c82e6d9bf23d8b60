"""Holes for tests and benchmarks: what is missing of a picture, drawn from an explicit generator. True is missing."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from irflow_cli.degradations import film


def box(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return a hole of half the height and width at a random place."""
    hole = np.zeros((height, width), bool)
    top, left = int(random.integers(height - height // 2 + 1)), int(random.integers(width - width // 2 + 1))
    hole[top : top + height // 2, left : left + width // 2] = True
    return hole


def half(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return one half of the picture, on a random side."""
    hole = np.zeros((height, width), bool)
    side = int(random.integers(4))
    part = hole if side < 2 else hole.T
    part[: part.shape[0] // 2] = True
    return hole[::-1, ::-1].copy() if side % 2 else hole


def thin(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return free-hand strokes about a fortieth of the shorter side wide."""
    return _strokes(height, width, random, breadth=0.025, count=12)


def thick(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return free-hand strokes about an eighth of the shorter side wide."""
    return _strokes(height, width, random, breadth=0.125, count=4)


def pixels(height: int, width: int, random: np.random.Generator, share: float = 0.8) -> np.ndarray:
    """Return single pixels, a `share` of them all, at random."""
    return random.random((height, width)) < share


def grid(height: int, width: int, random: np.random.Generator, scale: int = 2) -> np.ndarray:
    """Return all pixels but every `scale`-th of every `scale`-th row: super-resolution as a mask."""
    hole = np.ones((height, width), bool)
    hole[::scale, ::scale] = False
    return hole


def text(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return lines of letters over the whole picture."""
    canvas = np.zeros((height, width), np.uint8)
    size = max(0.4, min(height, width) / 500)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 "))
    pitch = max(12, round(45 * size))
    for base in range(pitch, height + pitch, pitch):
        line = "".join(random.choice(letters, size=2 * width // max(1, round(14 * size))))
        cv2.putText(canvas, line, (2, base), cv2.FONT_HERSHEY_SIMPLEX, size, 255, max(1, round(2 * size)))
    return canvas > 127


def scratches(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return the marks of an old print: long thin curves, specks of dust and hairs."""
    canvas = np.zeros((height, width), np.uint8)
    unit = min(height, width) / 256
    for _ in range(4):
        _curve(canvas, random, max(1, round(unit * random.uniform(1, 3))), length=int(max(height, width)), bend=0.02)
    for _ in range(6):
        _curve(canvas, random, max(1, round(unit)), length=round(30 * unit), bend=0.25)
    for _ in range(40):
        centre = (int(random.integers(width)), int(random.integers(height)))
        cv2.circle(canvas, centre, round(unit * random.uniform(0.5, 3)), 255, -1)
    return canvas > 127


def _strokes(height: int, width: int, random: np.random.Generator, breadth: float, count: int) -> np.ndarray:
    canvas = np.zeros((height, width), np.uint8)
    side = min(height, width)
    for _ in range(count):
        _curve(canvas, random, max(1, round(side * breadth * random.uniform(0.7, 1.3))), length=side, bend=0.15)
    return canvas > 127


def _curve(canvas: np.ndarray, random: np.random.Generator, breadth: int, length: int, bend: float) -> None:
    """Draw a curve that begins at a random place and turns as it goes."""
    height, width = canvas.shape
    steps = 24
    heading = random.uniform(0, 2 * np.pi) + np.cumsum(random.normal(0, bend * 2, steps))
    start = random.uniform(0, 1, 2) * (width, height)
    way = start + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * (length / steps), axis=0)
    cv2.polylines(canvas, [np.round(way).astype(np.int32)], False, 255, breadth, cv2.LINE_AA)


HOLES: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "box": box,
    "thin": thin,
    "thick": thick,
    "pixels": pixels,
    "grid": grid,
    "half": half,
    "text": text,
    "scratches": scratches,
    "dust": film.dust,
    "hairs": film.hairs,
    "lint": film.lint,
    "stains": film.stains,
    "film": film.film,
}
