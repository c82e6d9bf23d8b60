"""The heap of the C library: where there is another, nothing is done."""

from __future__ import annotations

import pytest

from irflow_cli.runtime import heap


def test_what_the_c_library_lacks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Other:
        """A C library with neither function."""

        def __getattr__(self, name: str) -> None:
            asked.append(name)
            raise AttributeError(name)

    monkeypatch.setattr(heap.sys, "platform", "linux")
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: Other())
    heap.keep_freed()
    heap.trim()
    assert asked == ["mallopt", "mallopt", "malloc_trim"]
    monkeypatch.setattr(heap.sys, "platform", "win32")
    heap.trim()
    assert len(asked) == 3
