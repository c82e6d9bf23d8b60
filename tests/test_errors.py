"""Errors name settings by their fields; only the command line knows flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import irflow_cli
from irflow_cli.cli.flags import ALIASES, flags
from irflow_cli.errors import NAMED, ImageError, UsageError, require

ROOT = Path(irflow_cli.__file__).parent
FLAG = re.compile(r"(?<![\w-])--[a-z]")
SHOWN = {ROOT / "serve" / name for name in ("saving.py", "steps.py", "marks.py")}  # write the command that the page shows
BELOW = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "cli" and path not in SHOWN]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the strings of a module, those of its docstrings too, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", BELOW, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_flag_is_spoken_of_below_the_command_line(path: Path) -> None:
    found = [
        (line, text)
        for line, text in texts(path)
        if FLAG.search(re.sub(r"`pip [^`]*`", "", text)) and not re.fullmatch("--[a-z-]+", text)  # an argument of a command
    ]
    assert not found


def test_every_setting_that_a_message_names_has_a_flag() -> None:
    raised = (
        node
        for path in BELOW
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("require", "UsageError", "ImageError", "DeviceError")
    )
    parts = (part.value for call in raised for part in ast.walk(call) if isinstance(part, ast.Constant))
    named = {name for text in parts if isinstance(text, str) for name in NAMED.findall(text)}
    assert {"steps", "mask", "max_pixels"} <= named
    assert {name for name in named if ALIASES.get(name, name) not in flags()} == set()


def test_an_error_has_a_field_and_a_reason() -> None:
    error = UsageError("`steps` must be at least 1, got 0")
    assert (error.field, error.reason) == ("steps", "must be at least 1, got 0")
    bare = ImageError("a.png is empty")
    assert (bare.field, bare.reason) == (None, "a.png is empty")
    require(True, "`steps` are wrong")
    with pytest.raises(UsageError, match="`steps` are wrong"):
        require(False, "`steps` are wrong")


def test_a_call_from_python_hears_of_no_flag() -> None:
    with pytest.raises(UsageError) as caught:
        irflow_cli.restore(np.zeros((8, 8, 3), np.uint8), "derain", steps=0)
    assert (caught.value.field, "--" in str(caught.value)) == ("steps", False)
