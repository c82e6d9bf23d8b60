"""Defaults from files, and `irflow config show`, which tells where each comes from.

device = "cuda"        # for every command that has the option

[restore]              # for one command
task = "denoise"
tile = 1024

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


def defaults_of(group: Any, path: Path, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a file's values as command -> parameter -> value. Raises UsageError for names that no command has."""
    commands = {name: {p.name: p for p in command.params} for name, command in group.commands.items()}
    found: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if isinstance(value, dict):
            if key not in commands:
                raise UsageError(f"{path}: there is no command [{key}]; there are {', '.join(commands)}")
            for option, setting in value.items():
                if option.replace("-", "_") not in commands[key]:
                    raise UsageError(f"{path}: irflow {key} has no option {option}; see `irflow {key} --help`")
                found.setdefault(key, {})[option.replace("-", "_")] = setting
            continue
        owners = [command for command, options in commands.items() if name in options]
        if not owners:
            raise UsageError(f"{path}: no command has an option {key}")
        for command in owners:
            found.setdefault(command, {}).setdefault(name, value)
    return found


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


def origin_of(error: Any) -> Path | None:
    """Return the file that a value comes from which click refused, if it comes from one."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None or parameter is None or context.get_parameter_source(parameter.name).name != "DEFAULT_MAP":
        return None
    return merged_defaults(context.find_root().command)[1].get((context.info_name, parameter.name))


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
    for name, command in group.commands.items():  # type: ignore[attr-defined]
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
                f"{name}.{parameter.name} = {value}\t{origin}", command=name, option=parameter.name, value=value, origin=origin
            )
    return 0
