"""Files of defaults that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("in_project")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "no command has"),
        ("[paint]\nx = 1", "no command [paint]"),
        ("[restore]\ncolour = 1", "no option"),
        ("[models]\noffline = true", "no command [models]; there are"),
        ("[models.push]\nx = 1", "no command [models.push]"),
        ("[models.pull]\nx = 1", "irflow models pull has no option x"),
        ("= 1", "read"),
    ],
)
def test_files_with_mistakes_are_named(irflow, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "project" / "irflow.toml").write_text(text)
    done = irflow("models", "list")
    assert (done.code, done.out) == (2, "")
    assert "irflow.toml" in done.err
    assert message in done.err
    helped = irflow("restore", "--help")
    assert (helped.code, helped.err) == (0, "")
