"""Requests whose pictures, masks or results are in object stores, brought into a mirror where all else finds them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from irflow_cli.batch.plan import Files
from irflow_cli.batch.remote import Mirror, is_remote
from irflow_cli.errors import require

Request = TypeVar("Request")


def mirrored(request: Request) -> Request:
    """Return a request of any command over pictures with a mirror's places in place of remote addresses; itself without any.

    The mirror is in its files, and is to be closed in the end. Raises UsageError for what is not there or may not be looked at,
    and for `resume` of remote results: a result is there whole or not at all, so that `skip_existing` goes on.
    """
    files: Files = request.files  # type: ignore[attr-defined]
    masks: Any = getattr(request, "masks", None)
    mask: Path | None = getattr(masks, "mask", None)
    if not any(map(is_remote, filter(None, (*files.inputs, files.output, mask)))):
        return request
    lands = is_remote(files.output) if files.output else any(map(is_remote, files.inputs))
    require(
        not (lands and files.resume), "`resume` keeps a record in the folder, which stores have none of; use `skip_existing`"
    )
    mirror = Mirror()
    try:
        inputs = [
            str(mirror.show(name, deep=files.recursive or "**" in name)) if is_remote(name) else name for name in files.inputs
        ]
        if files.output and is_remote(files.output):
            files = replace(files, output=mirror.show_results(str(files.output)))
        changed: dict[str, Any] = {"files": replace(files, inputs=tuple(inputs), mirror=mirror)}
        if mask and is_remote(mask):
            changed["masks"] = replace(masks, mask=mirror.show(str(mask), deep=True))
        return replace(request, **changed)  # type: ignore[type-var]
    except BaseException:
        mirror.close()
        raise
