"""The mirror of an object store."""

from __future__ import annotations

from typing import Any

import pytest

from irflow_cli.batch.remote import Mirror
from irflow_cli.errors import UsageError


def test_the_mirror_holds_no_content_that_is_done_with(memory: Any) -> None:
    mirror = Mirror()
    place = mirror.show("memory://in", deep=True)
    sizes = {path.name: path.stat().st_size for path in place.rglob("*.png")}
    assert sizes == {key: memory.size(f"in/{key}") for key in ("a.png", "b.png")} | {"c.png": memory.size("in/deep/c.png")}
    mirror.bring(place / "a.png")
    assert (place / "a.png").read_bytes() == memory.cat_file("in/a.png")
    mirror.drop(place / "a.png")
    assert (place / "a.png").stat().st_size == 0
    for address in ("memory://..", "memory://a/../../b", "memory://"):
        with pytest.raises(UsageError):
            mirror.local(address)
    mirror.close()
    assert not place.exists()
