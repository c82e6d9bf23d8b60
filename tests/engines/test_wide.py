"""Wide parts of holes."""

from __future__ import annotations

import numpy as np
from drawn import disc

from irflow_cli.engines.wide import SMALL, copied_parts

BLACK = np.zeros((200, 300), np.uint8)


def test_copied_parts_leave_thin_ends_alone() -> None:
    inside = disc(200, 300, 30, (80, 100)) | disc(200, 300, 25, (250, 100))
    inside[98:103] = True
    parts = list(copied_parts(inside, BLACK))
    assert len(parts) == 2
    together = np.zeros(inside.shape, bool)
    for part in parts:
        together[part.place] |= part.inside
    assert not together[:, 160:210].any()
    assert (together & ~inside).sum() == 0
    assert together.sum() > 0.9 * (disc(200, 300, 30, (80, 100)) | disc(200, 300, 25, (250, 100))).sum()


def test_small_holes_are_copied_unless_they_are_strokes_or_specks() -> None:
    square, stroke, specks = (np.zeros((200, 300), bool) for _ in range(3))
    square[100:126, 40:70] = True
    stroke[100:126, 40:240] = True
    specks[::9, ::7] = True
    (part,) = copied_parts(square | specks & ~np.pad(np.ones((60, 70), bool), ((80, 60), (20, 210))), BLACK)
    assert np.array_equal(part.inside, square[part.place])
    assert not list(copied_parts(stroke, BLACK)) and not list(copied_parts(specks, BLACK))
    assert not list(copied_parts(disc(200, 300, int(SMALL) - 1), BLACK))
