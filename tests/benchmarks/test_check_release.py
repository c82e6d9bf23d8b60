"""The check before a release finds what does not agree, and can be run."""

from __future__ import annotations

import check_release
import pytest


def test_a_version_without_an_entry_and_a_page_that_was_edited_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_release.irflow_cli, "__version__", "99.0")
    monkeypatch.setattr(check_release.speed, "on_page", lambda: {"amd-epyc": "edited"})
    found = check_release.problems()
    assert found[0] == "CHANGELOG.md has no entry for 99.0"
    assert any("tables of speed" in problem for problem in found)
