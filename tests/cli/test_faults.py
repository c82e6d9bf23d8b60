"""What nobody foresaw is one line, too."""

from __future__ import annotations

import pytest

from irflow_cli.cli.faults import explained
from irflow_cli.errors import CheckpointError, DeviceError, DiskFull, IrflowError, UsageError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(28, "No space left on device"), DiskFull),
        (OSError(13, "Permission denied", "a.txt"), IrflowError),
        (MemoryError(), DeviceError),
        (RecursionError("maximum recursion depth exceeded"), UsageError),
        (OverflowError("too large"), UsageError),
        (ValueError("a fault"), IrflowError),
        (CheckpointError("damaged"), CheckpointError),
    ],
)
def test_what_nobody_foresaw_is_one_line(error: Exception, kind: type[IrflowError]) -> None:
    told = explained(error)
    assert type(told) is kind
    assert str(told)
    assert "\n" not in str(told)
