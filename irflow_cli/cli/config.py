"""Defaults from files, and `irflow config show`, which says where each comes from.

device = "cuda"        # for every command that has the option

[restore]              # for one command
task = "denoise"
tile = 1024

[models.list]          # for one below another
json = true

`irflow --no-config ...` leaves them unread. A project's file may set what `trust` allows; no file sets what an option is not.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from irflow_cli.batch.plan import Files
from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson
from irflow_cli.cli.trust import refusal
from irflow_cli.errors import IrflowError, UsageError
from irflow_cli.runtime.config import ConfigFile, config_files

HELP = """Defaults from files and where they come from.

Example: irflow config show
"""
config = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=HELP)


OF_FOLDERS = {"suffix", "format", "name_template"}  # options that do not go with one output file
READ = "irflow.defaults"  # of a context: the files that were looked for, and which values come from which
Defaults = dict[str, dict[str, Any]]  # command -> parameter -> value


def commands_of(group: Any, above: str = "") -> dict[str, Any]:
    """Return the commands below a group by their names, such as "restore" and "models pull"."""
    found = {}
    for name, command in group.commands.items():
        found |= commands_of(command, f"{above}{name} ") if hasattr(command, "commands") else {above + name: command}
    return found


def _tables(values: dict[str, Any], names: set[str], above: str = "") -> Defaults:
    """Return a file's tables as command -> option -> value, tables within tables under the names of both."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            deeper = any(name.startswith(f"{above}{key} ") for name in names)
            found |= _tables(value, names, f"{above}{key} ") if deeper else {above + key: value}
        elif above:
            found.setdefault(above.strip(), {})[key] = value
    return found


def defaults_of(group: Any, file: ConfigFile) -> Defaults:
    """Return a file's values as command -> parameter -> value. Raises UsageError for names that no command has, and for what
    the file may not set."""
    path, values = file.path, file.values or {}
    commands = {name: _spellings(command) for name, command in commands_of(group).items()}
    found: Defaults = {}
    for command, options in _tables(values, set(commands)).items():
        if command not in commands:
            known = ", ".join(name.replace(" ", ".") for name in commands)
            raise UsageError(f"{path}: there is no command [{command.replace(' ', '.')}]; there are {known}")
        for option, value in options.items():
            name = commands[command].get(option.replace("_", "-"))
            if name is None:
                raise UsageError(f"{path}: irflow {command} has no option {option}; see `irflow {command} --help`")
            found.setdefault(command, {})[name] = value
    for option, value in values.items():
        if isinstance(value, dict):
            continue
        owners = {command: names[key] for command, names in commands.items() if (key := option.replace("_", "-")) in names}
        if not owners:
            raise UsageError(f"{path}: no command has an option {option}")
        harmless = {command: name for command, name in owners.items() if file.own or not refusal(command, name)}
        for command, name in (harmless or owners).items():
            found.setdefault(command, {}).setdefault(name, value)
    if not file.own:
        _check_harmless(path, found)
    return found


def _check_harmless(path: Path, found: Defaults) -> None:
    """Raise UsageError for what a project's file may not set."""
    for command, options in found.items():
        for name in options:
            reason = refusal(command, name)
            if reason:
                raise UsageError(
                    f"{path}: a project's file may not set {name.replace('_', '-')} of irflow {command}, for {reason}; give it "
                    "on the command line, or in the user's own file (`irflow config show` says where)"
                )


def _spellings(command: Any) -> dict[str, str]:
    """Return the names of a command's options by how they are typed, without the dashes before them. What is no option, such as
    the pictures or an address, is only ever typed."""
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    long = {word.lstrip("-"): option.name for option in options for word in option.opts if word[:2] == "--"}
    return {option.name.replace("_", "-"): option.name for option in options} | long


def merged_defaults(group: Any, files: list[ConfigFile]) -> tuple[Defaults, dict[tuple[str, str], Path]]:
    """Return the defaults that the files give, command -> parameter -> value, and the file each comes from."""
    merged: Defaults = {}
    origins: dict[tuple[str, str], Path] = {}
    for file in files:
        for command, options in defaults_of(group, file).items():
            for name, value in options.items():
                merged.setdefault(command, {})[name] = value
                origins[command, name] = file.path
    return merged, origins


def default_map(context: typer.Context, whole: Callable[[], Any]) -> dict[str, Any]:
    """Return the defaults that the files give as click wants them: those of "models pull" within those of "models". whole:
    makes the group of all commands, which is needed where a file gives any."""
    files = config_files()
    merged, origins = merged_defaults(whole(), files) if any(file.values for file in files) else ({}, {})
    context.meta[READ] = files, origins
    found: dict[str, Any] = {}
    for command, options in merged.items():
        level = found
        for name in command.split():
            level = level.setdefault(name, {})
        level.update(options)
    return found


class Command(TyperCommand):
    """A command that begins by saying which defaults it has from files: from those of the project always, for they may be a
    stranger's, and with --verbose from all, and their values. What does not go with what was typed is passed over."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what typer does. Raises UsageError for an empty value of an option, for an empty path would mean this folder,
        and for an output that ends in a slash, which a path forgets, and is called like a picture."""
        options = {flag: one.name for one in self.params for flag in one.opts if not getattr(one, "is_flag", True)}
        pairs = [*itertools.pairwise(args), *(word.split("=", 1) for word in args if "=" in word)]
        for flag, value in pairs:
            if value == "" and options.get(flag, "suffix") != "suffix":
                raise UsageError(f"`{options[flag]}` is empty; is a variable of the shell unset?")
            if options.get(flag) == "output" and value.endswith(("/", os.sep)) and Files((), Path(value)).one_file:
                raise UsageError(f"{value} ends as a folder, but is called like a picture; make it, or take away the slash")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Say it, unless --quiet was typed or stands in the user's own file, then do what the command does."""
        files, origins = ctx.meta.get(READ, ((), {}))
        name = _name_of(ctx)
        values = {key: ctx.params[key] for key in ctx.params if _from_file(ctx, key)}
        own = {file.path for file in files if file.own}
        quiet = ctx.params.get("quiet", False) and ("quiet" not in values or origins.get((name, "quiet")) in own)
        console = Console(quiet=quiet, verbose=ctx.params.get("verbose", False))
        for key in _without_place(ctx.params) & values.keys() if "output" not in values else ():
            values.pop(key)
            ctx.params[key] = None
        for file in files:
            if file.unread:
                console.error(f"{file.path} is not read: {file.unread}; `irflow --no-config ...` passes it over")
            if file.values is None:
                continue
            ours = {key: value for key, value in values.items() if origins.get((name, key)) == file.path}
            named = ", ".join(key.replace("_", "-") for key in ours) or "none for this command"
            (console.detail if file.own else console.note)(f"defaults from {file.path}: {named}")
            for key, value in ours.items():
                console.detail(f"{file.path}: {key.replace('_', '-')} = {value!r}")
        try:
            return super().invoke(ctx)
        except IrflowError as error:
            given = {field: file for field in error.fields if field in values and (file := origins.get((name, field)))}
            if not given:
                raise
            field, file = next(iter(given.items()))
            first = f"{file}: {error}" if field == error.field else f"{error} (`{field}` is from {file})"
            raise type(error)(first) from None


def _without_place(params: dict[str, Any]) -> set[str]:
    """Return the options that do not go with the one file, or standard output, that a command writes to."""
    output = Path("-") if params.get("inputs") == ["-"] and params.get("output") is None else params.get("output")
    if not (isinstance(output, Path) and Files((), output).one_file):
        return set()
    return OF_FOLDERS - {"format"} if str(output) == "-" else OF_FOLDERS


def _from_file(context: Any, name: str) -> bool:
    """Return whether a parameter has its value from a file of defaults."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "DEFAULT_MAP"


def _name_of(context: Any) -> str:
    """Return the command of a context, such as "models pull"."""
    return context.command_path.partition(" ")[2]


def origin_of(error: Any) -> Path | None:
    """Return the file that a value comes from which click refused, if it comes from one."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None or parameter is None or not _from_file(context, parameter.name):
        return None
    return context.meta[READ][1].get((_name_of(context), parameter.name))


@config.command("show", cls=Command)
def show(context: typer.Context, as_json: AsJson = False) -> int:
    """Print every option with a value that is not built in, or all with --json, and where it comes from.

    Flags come first, then environment variables, the project's irflow.toml, the user's config.toml, built-in defaults.

    Example: irflow config show
    """
    root = context.find_root()
    console, group, code = Console(as_json=as_json), root.command, 0
    whole = []  # files without a fault
    for file in [] if root.params["no_config"] else config_files():
        console.note(f"{file.path}: {f'not read, {file.unread}' if file.unread else 'read' if file.there else 'not there'}")
        try:
            defaults_of(group, file)
            whole.append(file)
        except UsageError as error:  # what the other file gives is shown
            console.error(str(error))
            code = error.exit_code
    merged, origins = merged_defaults(group, whole)
    for name, command in commands_of(group).items():
        for parameter in command.params:
            variable = parameter.envvar if isinstance(parameter.envvar, str) else None
            if variable and os.environ.get(variable):
                value, origin = os.environ[variable], variable
            elif parameter.name in merged.get(name, {}):
                value, origin = merged[name][parameter.name], str(origins[name, parameter.name])
            elif as_json and parameter.name != "help":
                value, origin = parameter.default, "built in"
            else:
                continue
            console.result(
                f"{name.replace(' ', '.')}.{parameter.name} = {value}\t{origin}",
                command=name,
                option=parameter.name,
                value=value,
                origin=origin,
            )
    return code
