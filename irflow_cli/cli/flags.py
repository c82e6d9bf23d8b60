"""Settings in messages by the names that they have on the command line."""

from __future__ import annotations

import functools
import re
from typing import Any

from irflow_cli.errors import NAMED

# Fields whose options have other names.
ALIASES = {
    "box": "mask_box",
    "color": "mask_color",
    "tolerance": "mask_tolerance",
    "from_alpha": "mask_from_alpha",
    "invert": "mask_invert",
    "threshold": "mask_threshold",
    "resize": "mask_resize",
    "dilate": "mask_dilate",
    "feather": "mask_feather",
    "baselines": "baseline",
    "commands": "baseline_command",
}


@functools.cache
def flags() -> dict[str, str]:
    """Return the long options and the arguments of all commands, by the names of their parameters."""
    import typer

    from irflow_cli.cli.app import command_line

    options: dict[str, str] = {}
    arguments: dict[str, str] = {}

    def gather(command: Any) -> None:
        for parameter in command.params:
            long = [name for name in parameter.opts if name.startswith("--")]
            if long:
                options.setdefault(parameter.name, long[0])
            else:
                arguments.setdefault(parameter.name, parameter.name.upper())
        for inner in getattr(command, "commands", {}).values():
            gather(inner)

    gather(typer.main.get_command(command_line()))
    return arguments | options


def with_flags(text: str) -> str:
    """Return a message with the command line's names in place of those of settings."""

    def flag(match: re.Match[str]) -> str:
        name = match[1]
        return flags().get(ALIASES.get(name, name), match[0])

    return NAMED.sub(flag, text)
