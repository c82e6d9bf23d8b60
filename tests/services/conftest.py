"""Settings of a network small enough for any test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from irflow_cli.engines.settings import RestoreSettings


@pytest.fixture
def settings(tiny_checkpoint: Callable[[str], Path]) -> RestoreSettings:
    return RestoreSettings("derain", checkpoint=str(tiny_checkpoint("derain")), device="cpu")
