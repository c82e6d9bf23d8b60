"""Defaults from files, and `irflow config show`, which tells where each comes from.

device = "cuda"        # for every command that has the option

[restore]              # for one command
task = "denoise"
tile = 1024

[models.list]          # for one below another
json = true

`irflow --no-config ...` leaves them unread.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from irflow_cli.cli.console import Console
from irflow_cli.cli.options import AsJson
from irflow_cli.errors import UsageError

HELP = """Defaults from files and where they come from.

Example: irflow config show
"""
config = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=HELP)


def commands_of(group: Any, above: str = "") -> dict[str, Any]:
    """Return the commands below a group by their names, such as "restore" and "models pull"."""
    found = {}
    for name, command in group.commands.items():
        found |= commands_of(command, f"{above}{name} ") if hasattr(command, "commands") else {above + name: command}
    return found


def _tables(values: dict[str, Any], names: set[str], above: str = "") -> dict[str, dict[str, Any]]:
    """Return a file's tables as command -> option -> value, tables within tables under the names of both."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            deeper = any(name.startswith(f"{above}{key} ") for name in names)
            found |= _tables(value, names, f"{above}{key} ") if deeper else {above + key: value}
        elif above:
            found.setdefault(above.strip(), {})[key] = value
    return found


def defaults_of(group: Any, path: Path, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a file's values as command -> parameter -> value. Raises UsageError for names that no command has."""
    commands = {name: _spellings(command) for name, command in commands_of(group).items()}
    found: dict[str, dict[str, Any]] = {}
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
        for command, name in owners.items():
            found.setdefault(command, {}).setdefault(name, value)
    return found


def _spellings(command: Any) -> dict[str, str]:
    """Return the names of a command's parameters by how they are typed, without the dashes before them."""
    long = {word.lstrip("-"): parameter.name for parameter in command.params for word in parameter.opts if word[:2] == "--"}
    return {parameter.name.replace("_", "-"): parameter.name for parameter in command.params} | long


def merged_defaults(group: Any) -> tuple[dict[str, dict[str, Any]], dict[tuple[str, str], Path]]:
    """Return the defaults that the files give, command -> parameter -> value, and the file each comes from."""
    from irflow_cli.runtime.config import config_files, read_config

    merged: dict[str, dict[str, Any]] = {}
    origins: dict[tuple[str, str], Path] = {}
    for path in config_files():
        for command, options in defaults_of(group, path, read_config(path)).items():
            for name, value in options.items():
                merged.setdefault(command, {})[name] = value
                origins[command, name] = path
    return merged, origins


def default_map(group: Any) -> dict[str, Any]:
    """Return the defaults that the files give as click wants them: those of "models pull" within those of "models"."""
    found: dict[str, Any] = {}
    for command, options in merged_defaults(group)[0].items():
        level = found
        for name in command.split():
            level = level.setdefault(name, {})
        level.update(options)
    return found


def origin_of(error: Any) -> Path | None:
    """Return the file that a value comes from which click refused, if it comes from one."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None or parameter is None or context.get_parameter_source(parameter.name).name != "DEFAULT_MAP":
        return None
    command = context.command_path.partition(" ")[2]
    return merged_defaults(context.find_root().command)[1].get((command, parameter.name))


@config.command("show")
def show(context: typer.Context, as_json: AsJson = False) -> int:
    """Print every option with a value that is not built in, or all with --json, and where it comes from.

    Flags come first, then environment variables, the project's irflow.toml, the user's config.toml, built-in defaults.

    Example: irflow config show
    """
    from irflow_cli.runtime.config import config_files

    console, group = Console(as_json=as_json), context.find_root().command
    merged, origins = merged_defaults(group)
    for path in config_files():
        console.note(f"{path}: {'read' if path.is_file() else 'not there'}")
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
    return 0
