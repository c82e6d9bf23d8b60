"""The table of what clean photographs lose."""

from __future__ import annotations

import harm
import numpy as np


def test_a_row_counts_blocks_that_moved_and_pictures_that_changed() -> None:
    clean = np.full((128, 192, 3), 100, np.uint8)
    one = clean.copy()
    one[:64, 64:128] += 2  # a block of six
    row = harm.row_of("derain", [(clean, clean), (one, clean)])
    same, changed = harm.SAME, 10 * np.log10(255**2 / (4 / 6))
    assert row == f"| derain | 12 | 1 | 1 | 0 | 2.00 | 0.00 | {(same + changed) / 2:.1f} | {changed:.1f} |"
