"""What goes to standard output, what to standard error, and what a stranger's text cannot do."""

from __future__ import annotations

import json

import pytest

from irflow_cli.cli.console import SCHEMA, Console


def test_results_go_to_standard_output_and_all_else_to_standard_error(capsys) -> None:
    console = Console(verbose=True)
    console.result("out.png", output="out.png")
    console.note("a note")
    console.detail("a detail")
    console.error("wrong `steps`")
    said = capsys.readouterr()
    assert said.out == "out.png\n"
    assert said.err == "a note\na detail\nirflow: wrong --steps\n"


@pytest.mark.parametrize(("quiet", "verbose", "left"), [(True, True, 0), (False, False, 1), (False, True, 2)])
def test_who_wants_to_know_more_or_less_is_asked(quiet: bool, verbose: bool, left: int, capsys) -> None:
    console = Console(quiet=quiet, verbose=verbose)
    console.note("a note")
    console.detail("a detail")
    assert len(capsys.readouterr().err.splitlines()) == left


def test_a_result_may_be_json(capsys) -> None:
    Console(as_json=True).result("out.png", output="out.png", seconds=1.5)
    assert json.loads(capsys.readouterr().out) == {"schema": SCHEMA, "output": "out.png", "seconds": 1.5}


def test_text_of_a_stranger_steers_no_terminal(capsys) -> None:
    Console().error("\x1b[2Jevil\u202e.png\nirflow: all is well")
    said = capsys.readouterr().err
    assert said.isprintable() or said.rstrip("\n").isprintable()
    assert (said.count("\n"), "\\x1b" in said, "\\u202e" in said) == (1, True, True)


def test_no_bar_is_drawn_where_there_is_no_terminal(capsys) -> None:
    with Console().progress("work", 2) as update:
        update(1.0, "half")
    assert capsys.readouterr() == ("", "")


def test_details_speak_of_options_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    Console(verbose=True).detail("`name_template` is meant")
    assert capsys.readouterr().err == "--name-template is meant\n"


def test_names_on_the_bar_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Console().progress("irflow", 2) as show:
        show(1, "IMG [edited]\x1b]0;evil.jpg")
    told = capsys.readouterr().err
    assert "IMG [edited]" in told and "\x1b]0;" not in told


def test_a_result_does_not_steer_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    Console().result("a\x1b[31m.png\tb")
    assert capsys.readouterr().out == "a\x1b[31m.png\tb\n"  # another program reads it
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    Console().result("a\x1b[31m.png\tb")
    assert capsys.readouterr().out == "a\\x1b[31m.png\tb\n"
