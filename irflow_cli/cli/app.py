"""The `irflow` command: its subcommands, and how errors become one line and an exit code."""

from __future__ import annotations

import functools
import os
import signal
import sys
from importlib import import_module
from typing import Any

import typer

import irflow_cli
from irflow_cli.cli.config import Command, config, default_map, origin_of
from irflow_cli.cli.console import UNREAD, Console
from irflow_cli.cli.faults import DEBUG, check_place, explained
from irflow_cli.cli.streams import keep_apart, open_missing
from irflow_cli.errors import IrflowError, UsageError
from irflow_cli.runtime.files import clear_all_begun
from irflow_cli.runtime.heap import keep_freed
from irflow_cli.tasks import RESTORED

COMMANDS = ("restore", "inpaint", "upscale", "compare", "serve", "degrade", "train", "bench", "doctor")  # modules and functions


@functools.cache
def command_line(*names: str) -> typer.Typer:
    """Return the command line: all of it, or some of COMMANDS, for to load and to build all takes as long as to do a little."""
    line = typer.Typer(
        name="irflow",
        callback=root,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in names or COMMANDS:
        line.command(cls=Command)(getattr(import_module(f"irflow_cli.cli.{name}"), name))
    if not names:
        from irflow_cli.cli.models import models

        line.add_typer(models, name="models")
        line.add_typer(config, name="config")
    return line


@functools.cache
def group_of(*names: str) -> Any:
    """Return the `command_line` as click knows it, which takes a while to build."""
    return typer.main.get_command(command_line(*names))


def _asked(arguments: list[str]) -> tuple[str, ...]:
    """Return the command that is asked for, for `command_line`; nothing where that is none of COMMANDS, and all may be needed.
    Before a command there are flags only."""
    word = next((word for word in arguments if not word.startswith("-")), "")
    return (word,) if word in COMMANDS else ()


def _version(asked: bool) -> None:
    if asked:
        Console().result(f"irflow {irflow_cli.__version__}")
        raise typer.Exit


def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    no_config: bool = typer.Option(False, "--no-config", help="Leave irflow.toml and the user's config.toml unread."),
) -> None:
    """Restore photographs with rectified flows.

    Example: irflow restore rainy.jpg --task derain

    Exit codes: 0 done, 1 some pictures failed, 2 usage, 3 nothing to do, 4 checkpoint, 5 device, memory or disk, 129,
    130 and 143 interrupted. Defaults can be set in irflow.toml (see `irflow config show --help`).
    """
    helping = {"-h", "--help"}.intersection(context.obj or ())  # help comes, whatever a file says
    if no_config or helping:
        return
    try:
        context.default_map = default_map(context, group_of)
    except UsageError:
        if context.invoked_subcommand != "config":  # which shows what is wrong in the files
            raise


def _path_of(error: Any) -> str:
    """Return the command that a usage error is about."""
    context = getattr(error, "ctx", None)
    return context.command_path if context else "irflow"


def main() -> None:
    """Run the command line and exit with its code. A signal to end unwinds like Ctrl-C, so that nothing is left half written;
    one that was to be ignored is."""
    open_missing()
    keep_apart()
    ends = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    for number in ends:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        code = run(sys.argv[1:])
    except SystemExit as end:
        code = end.code
    if isinstance(code, int) and code - 128 in (signal.SIGINT, *ends):  # at once, whatever a thread still waits for
        clear_all_begun()
        if sys.stdout is not None:
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _unforeseen(error: Exception) -> int:
    """Say in one line what no command caught, and return the exit code."""
    if os.environ.get(DEBUG, "") not in ("", "0"):
        raise error
    known = explained(error)
    Console().error(str(known))
    return known.exit_code


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code. Errors are printed as one line."""
    keep_freed()
    try:
        check_place()
        return group_of(*_asked(arguments))(arguments, prog_name="irflow", standalone_mode=False, obj=arguments) or 0
    except IrflowError as error:
        Console().error(str(error))
        return error.exit_code
    except SystemExit as end:  # click's, for help that nobody reads to its end
        if isinstance(end.__context__, BrokenPipeError):
            return UNREAD
        raise
    except (KeyboardInterrupt, typer.Abort):
        Console().error("interrupted")
        return 130
    except ImportError as error:
        if error.name != "cv2" and "libGL" not in str(error):
            return _unforeseen(error)
        Console().error(f"OpenCV cannot be loaded ({error}); run `pip install --force-reinstall opencv-python-headless`")
        return 1
    except Exception as error:
        # Usage errors of typer, or of the click below it, whichever version is installed.
        if not hasattr(error, "format_message"):
            return _unforeseen(error)
        if type(error).__name__ == "NoArgsIsHelpError":
            Console().note(error.format_message())  # type: ignore[attr-defined]
            return 2
        said, file = error.format_message().rstrip("."), origin_of(error)  # type: ignore[attr-defined]
        task = next((word for word in arguments if not word.startswith("-")), "")
        if said.startswith("No such command") and task in RESTORED:
            Console().error(f"{task} is a task, not a command; use `irflow restore --task {task}`")
            return 2
        Console().error(f"{file}: {said}" if file else f"{said}; try `{_path_of(error)} --help`")
        return 2
