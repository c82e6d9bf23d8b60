"""Requests whose pictures, masks or results are in object stores, brought into a mirror where all else finds them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from irflow_cli.batch.plan import Files, Job
from irflow_cli.batch.remote import Mirror, is_remote
from irflow_cli.errors import IrflowError, require

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
        request = replace(request, **changed)  # type: ignore[type-var]
        if files.output is None and not files.overwrite:
            _show_beside(request, mirror)
        return request
    except BaseException:
        mirror.close()
        raise


def _show_beside(request: Any, mirror: Mirror) -> None:
    """Put places for what lies already where results go that lie beside their inputs: of a picture or a pattern, what it is
    called has a place so far, and no other. Raises UsageError for what may not be looked at."""
    files: Files = request.files
    jobs: list[Job] = []
    with contextlib.suppress(IrflowError):  # raised again, and told, when it is planned in earnest
        jobs = replace(request, files=replace(files, overwrite=not files.skip_existing)).plan()
    inputs, sources = {Path(name) for name in files.inputs}, {job.source.parent for job in jobs}
    for folder in dict.fromkeys(job.target.parent for job in jobs):
        address = mirror.named(str(folder))
        shown = inputs & ({folder, *folder.parents} if files.recursive else {folder})
        if is_remote(address) and not shown:
            mirror.show(address, deep=False) if folder in sources else mirror.show_results(address)
