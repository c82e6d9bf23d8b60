"""The check before a release finds what does not agree, and can be run."""

from __future__ import annotations

from pathlib import Path

import check_release
import pytest


def test_a_version_without_an_entry_and_a_page_that_was_edited_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_release.irflow_cli, "__version__", "99.0")
    monkeypatch.setattr(check_release.speed, "on_page", lambda: {"amd-epyc": "edited"})
    monkeypatch.setattr(check_release, "page_problems", lambda root, name: [f"{name} is old"])
    monkeypatch.setattr(check_release, "outdated", lambda *given: "a method")
    found = check_release.problems()
    assert found[0] == "CHANGELOG.md has no entry for 99.0"
    assert any("tables of speed" in problem for problem in found)
    old = [problem for problem in found if "a method of" in problem and "was measured with other weights or code" in problem]
    assert len(old) == sum(map(len, check_release.SUITES.values()))
    assert found[-len(check_release.PAGES) :] == [f"{name} is old" for name in check_release.PAGES]


def test_a_page_that_names_another_torch_than_was_tested_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6\ntorch==2.13.0\n")
    (tmp_path / "README.md").write_text("`pip install torch==2.13.0 --index-url x`")
    (tmp_path / "docs" / "install.md").write_text("`pip install torch==2.13.0`, then torch==2.12.1.")
    assert check_release.other_torches(tmp_path) == ["docs/install.md names torch 2.12.1, constraints.txt 2.13.0"]
    assert check_release.other_torches(check_release.ROOT) == []
