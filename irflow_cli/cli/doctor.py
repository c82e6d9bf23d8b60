"""`irflow doctor`: what this machine has, and what is missing."""

from __future__ import annotations

from irflow_cli.cli.console import Console
from irflow_cli.cli.flags import with_flags
from irflow_cli.cli.options import AsJson


def doctor(as_json: AsJson = False) -> int:
    """Print versions, devices, memory, folders, checkpoints and the time of a tile; exit 1 when something does not work.

    Example: irflow doctor
    """
    from irflow_cli.services.doctor import examine

    console, broken = Console(as_json=as_json), 0
    for finding in examine():
        broken += not finding.ok
        text = finding.text if finding.ok else with_flags(finding.text)
        mark = "" if finding.ok else "  <- does not work"
        console.result(f"{finding.topic:<11}{text}{mark}", topic=finding.topic, finding=text, ok=finding.ok)
    return 1 if broken else 0
