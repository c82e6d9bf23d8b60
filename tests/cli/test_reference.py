"""docs/commands.md is what the commands say of themselves.

python tests/cli/test_reference.py      # writes it anew
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest
import typer

from irflow_cli.cli.app import command_line

REFERENCE = Path(__file__).parents[2] / "docs" / "commands.md"
HEAD = """# Commands

Written by `python tests/cli/test_reference.py` from the commands themselves, and compared with them by the tests.
"""

PAGES = [*(REFERENCE.parents[1] / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"))]
PAGES += [page for page in REFERENCE.parent.glob("*.md") if page != REFERENCE]
COMMAND = re.compile(r"\birflow ((?:models |config )?[a-z]+)((?: [^`|&\n]*)?)")


def commands() -> list[tuple[str, ...]]:
    """Return every command's words, groups taken apart."""
    found: list[tuple[str, ...]] = []
    for name, command in typer.main.get_command(command_line()).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [(name, inner) for inner in below] if below else [(name,)]
    return found


def reference() -> str:
    """Return the page: the help of every command, 100 columns wide."""
    text = HEAD
    for words in commands():
        context = typer.main.get_command(command_line()).make_context("irflow", list(words[:1]), resilient_parsing=True)
        command = context.command.commands[words[0]]  # type: ignore[attr-defined]
        for word in words[1:]:
            context = type(context)(command, parent=context, info_name=words[0])
            command = command.commands[word]
        context = type(context)(command, parent=context, info_name=words[-1], terminal_width=100, max_content_width=100)
        text += f"\n## irflow {' '.join(words)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    return text


@cache
def options() -> dict[str, set[str]]:
    """Return the options of every command, by its words."""
    found, every = {}, typer.main.get_command(command_line())
    for words in commands():
        command = every
        for word in words:
            command = command.commands[word]  # type: ignore[attr-defined]
        found[" ".join(words)] = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...], irflow) -> None:
    done = irflow(*words, "--help")
    assert done.code == 0
    assert f"Example: irflow {' '.join(words)}" in done.out


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_an_unknown_option_fails(words: tuple[str, ...], irflow) -> None:
    done = irflow(*words, "--no-such-option")
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1


def test_the_reference_says_what_the_commands_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("IRFLOW_")]:
        monkeypatch.delenv(name)
    assert REFERENCE.read_text() == reference(), "run `python tests/cli/test_reference.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_give_commands_options_that_they_have(page: Path) -> None:
    known = options()
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    unknown = [
        f"irflow {words} {option}"
        for words, rest in COMMAND.findall(text)
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest.partition(" #")[0])
        if words in known and option not in known[words]
    ]
    assert not unknown


if __name__ == "__main__":
    REFERENCE.write_text(reference())
