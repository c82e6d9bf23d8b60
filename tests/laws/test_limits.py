"""Modules, functions and lists of arguments stay small enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import irflow_cli

ROOT = Path(irflow_cli.__file__).parent
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODULES = sorted((*ROOT.rglob("*.py"), *BENCHMARKS.rglob("*.py")))
LINES, FUNCTION, ARGUMENTS = 350, 60, 7
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    """Yield the functions of a module, inner ones and methods too."""
    yield from (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, Function))


def length_of(function: Function, *, command: bool) -> int:
    """Return a function's lines, of a command without its signature, which is its help."""
    start = function.body[0].lineno if command else function.lineno
    return (function.end_lineno or start) - start + 1


def arguments_of(function: Function) -> int:
    """Return how many arguments a caller of a function may give."""
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_module_can_be_read_at_once(path: Path) -> None:
    below = ROOT / "cli" not in path.parents
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES, "split it"
    for function in functions(path):
        place = f"{function.name}, line {function.lineno}"
        assert length_of(function, command=not below) <= FUNCTION, f"{place}: split it"
        assert not below or arguments_of(function) <= ARGUMENTS, f"{place}: make a record of its arguments"
