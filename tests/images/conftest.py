"""What may be missing for tests of files."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _heic_is_an_extra(request: pytest.FixtureRequest) -> None:
    if "HEIF" in request.node.name:
        pytest.importorskip("pillow_heif")
