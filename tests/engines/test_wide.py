"""Wide parts of holes."""

from __future__ import annotations

import numpy as np
from drawn import disc

from irflow_cli.engines.wide import wide_parts


def test_wide_parts_leave_thin_ends_alone() -> None:
    inside = disc(200, 300, 30, (80, 100)) | disc(200, 300, 25, (250, 100))
    inside[98:103] = True
    parts = list(wide_parts(inside))
    assert len(parts) == 2
    together = np.zeros(inside.shape, bool)
    for part in parts:
        together[part.place] |= part.inside
    assert not together[:, 160:210].any()
    assert (together & ~inside).sum() == 0
    assert together.sum() > 0.9 * (disc(200, 300, 30, (80, 100)) | disc(200, 300, 25, (250, 100))).sum()
