"""Modules, functions and lists of arguments stay small enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

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


def too_much_in(path: Path) -> Iterator[str]:
    """Yield what is too long in a module."""
    below, name = ROOT / "cli" not in path.parents, "/".join(path.parts[-3:])
    if len(path.read_text(encoding="utf-8").splitlines()) > LINES:
        yield f"{name}: split it"
    for function in functions(path):
        place = f"{name}, {function.name}, line {function.lineno}"
        if length_of(function, command=not below) > FUNCTION:
            yield f"{place}: split it"
        if below and arguments_of(function) > ARGUMENTS:
            yield f"{place}: make a record of its arguments"


def test_a_module_can_be_read_at_once() -> None:
    assert [said for path in MODULES for said in too_much_in(path)] == []
