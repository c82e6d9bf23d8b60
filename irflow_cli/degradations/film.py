"""Damage of scanned film as holes: dust, hairs, lint and stains, drawn from an explicit generator. True is missing."""

from __future__ import annotations

import cv2
import numpy as np

UNIT = 400  # pixels of the shorter side of a scan on which sizes are given


def dust(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return specks, longer than wide, half of them in a cloud or two."""
    canvas, unit = np.zeros((height, width), np.uint8), min(height, width) / UNIT
    size, clouds = np.array([width, height]), random.uniform(0, 1, (2, 2))
    for number in range(int(random.integers(15, 120))):
        loose = number % 2 == 0
        place = (random.uniform(0, 1, 2) if loose else random.normal(clouds[number // 2 % 2], 0.08)) * size
        long = unit * min(random.lognormal(1.0, 0.5), 12)
        axes = (max(0, round(long)), max(0, round(long * random.uniform(0.3, 0.8))))
        cv2.ellipse(canvas, np.round(place).astype(int).tolist(), axes, random.uniform(0, 180), 0, 360, 255, -1)
    return canvas > 0


def hairs(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return one to three hairs: long, of even width, bent smoothly, with a kink here and there."""
    canvas, unit = np.zeros((height, width), np.uint8), min(height, width) / UNIT
    for _ in range(int(random.integers(1, 4))):
        _thread(canvas, random, unit * random.uniform(60, 400), unit * random.uniform(2, 5))
    return canvas > 0


def lint(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return fibres: thick threads with ragged edges, a side branch, and crumbs around."""
    canvas, unit = np.zeros((height, width), np.uint8), min(height, width) / UNIT
    for _ in range(int(random.integers(1, 3))):
        _thread(canvas, random, unit * random.uniform(100, 250), unit * random.uniform(6, 14))
        _thread(canvas, random, unit * random.uniform(20, 90), unit * random.uniform(4, 9))
    return _ragged(canvas > 0, random, unit) | (
        _crumbs(canvas > 0, random, unit * 30) & (random.random((height, width)) < 0.05)
    )


def stains(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return one or two blots whose edges dissolve into specks."""
    hole, unit = np.zeros((height, width), bool), min(height, width) / UNIT
    rows, columns = np.mgrid[0:height, 0:width] / min(height, width)
    for _ in range(int(random.integers(1, 3))):
        across, turn = random.uniform(0.06, 0.22, 2), random.uniform(0, np.pi)
        down, right = rows - random.uniform(0, rows.max() or 1), columns - random.uniform(0, columns.max() or 1)
        along, beside = np.cos(turn) * right + np.sin(turn) * down, np.cos(turn) * down - np.sin(turn) * right
        inside = 1 - np.hypot(along / across[0], beside / across[1])
        coarse, fine = _noise((height, width), random, unit * 25), _noise((height, width), random, unit * 2)
        hole |= inside + 0.35 * coarse + 0.25 * fine > 0.25
    return hole


def film(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return what a neglected scan has: dust, and of hairs, lint and stains each with a chance of a half."""
    hole = dust(height, width, random)
    for kind in (hairs, lint, stains):
        if random.random() < 0.5:
            hole |= kind(height, width, random)
    return hole


def _thread(canvas: np.ndarray, random: np.random.Generator, length: float, breadth: float) -> None:
    """Draw a thread whose direction drifts smoothly, with a kink or none."""
    steps = 60
    drift = np.cumsum(cv2.GaussianBlur(random.normal(0, 0.25, (1, steps)), (9, 1), 2)[0])
    drift += np.where(np.arange(steps) > random.integers(steps), random.normal(0, 0.8), 0)
    heading = random.uniform(0, 2 * np.pi) + random.normal(0, 1.5) * np.linspace(0, 1, steps) + drift
    start = random.uniform(0.1, 0.9, 2) * canvas.shape[::-1]
    way = start + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * (length / steps), axis=0)
    cv2.polylines(canvas, [np.round(way).astype(np.int32)], False, 255, max(1, round(breadth)))


def _ragged(hole: np.ndarray, random: np.random.Generator, unit: float) -> np.ndarray:
    """Return a hole whose edge is frayed by a few pixels."""
    away = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
    beyond = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 3)
    return away - beyond + 2.5 * unit * _noise(hole.shape, random, 3 * unit) > 0.5


def _crumbs(hole: np.ndarray, random: np.random.Generator, reach: float) -> np.ndarray:
    """Return what lies within reach of a hole, in patches."""
    near = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 3) < reach
    return near & (_noise(hole.shape, random, reach / 6) > 1.5)


def _noise(size: tuple[int, ...], random: np.random.Generator, grain: float) -> np.ndarray:
    """Return smooth noise of unit variance, its grain in pixels."""
    soft = cv2.GaussianBlur(random.standard_normal(size).astype(np.float32), (0, 0), max(0.5, grain))
    return soft / max(float(soft.std()), 1e-6)
