"""Many pictures, one after another: where each output goes, found before any work, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from irflow_cli.errors import ImageError, NothingToDo, UsageError
from irflow_cli.runtime.images import SUFFIXES, Picture, encode_picture, find_pictures, read_picture, write_atomically


@dataclass(frozen=True)
class Job:
    """One picture to read and the file its result goes to."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job. `error` is one line when it failed; `notes` are worth telling the user."""

    job: Job
    error: str | None = None
    notes: tuple[str, ...] = ()


def plan(inputs: list[Path], output: Path | None, suffix: str, *, overwrite: bool) -> list[Job]:
    """Return the jobs of a request, in order, each picture once.

    Folders are searched, below them too; their own outputs (names that end in `suffix`) are not read again. Without
    `output` results lie beside the inputs with `suffix` added to the name. With it they go to that folder, keeping a
    folder's tree and names, or, for one input file and a name that ends like a picture, to that file.
    Raises NothingToDo without pictures; UsageError for two results in one file, a result that would replace an input,
    and results that exist unless `overwrite`. A missing input file stays in the plan and fails when its turn comes.
    """
    one_file = output is not None and output.suffix.lower() in SUFFIXES and not output.is_dir()
    if one_file and (len(inputs) != 1 or inputs[0].is_dir()):
        raise UsageError(f"{output} is one file, but the input is more than one picture; give a folder")
    jobs: dict[Path, Job] = {}
    for given in inputs:
        root = given if given.is_dir() else given.parent
        found = find_pictures(given) if given.is_dir() else [given]
        for source in found:
            if given.is_dir() and output is None and source.stem.endswith(suffix):
                continue
            beside = source.with_name(f"{source.stem}{suffix}{_ending(source)}")
            target = beside if output is None else output if one_file else output / source.relative_to(root)
            if output is not None and not one_file:
                target = target.with_suffix(_ending(source))
            jobs.setdefault(source.absolute(), Job(source, target))
    if not jobs:
        raise NothingToDo(f"no pictures in {', '.join(map(str, inputs))}")
    _check_targets(list(jobs.values()), overwrite=overwrite)
    return list(jobs.values())


def _ending(source: Path) -> str:
    return source.suffix if source.suffix.lower() in SUFFIXES else ".png"


def _check_targets(jobs: list[Job], *, overwrite: bool) -> None:
    sources = {job.source.resolve() for job in jobs}
    taken: dict[Path, Path] = {}
    for job in jobs:
        target = job.target.resolve()
        if target in sources:
            raise UsageError(f"{job.target} is an input; give another output, irflow does not write over its inputs")
        if target in taken:
            raise UsageError(f"{taken[target]} and {job.source} would both become {job.target}; work on them one by one")
        taken[target] = job.source
    existing = [job.target for job in jobs if job.target.exists()]
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise UsageError(f"{existing[0]}{more} exists; use --overwrite or another output")


Progress = Callable[[float], None]  # told how many pictures are done, in fractions


def work_through(
    jobs: list[Job],
    work: Callable[[Picture, Progress], tuple[Picture, tuple[str, ...]]],
    *,
    overwrite: bool,
    progress: Progress = lambda done: None,
) -> Iterator[Outcome]:
    """Yield the outcome of each job; a picture that cannot be read, restored or written does not stop the others."""
    for index, job in enumerate(jobs):

        def share(part: float, before: int = index) -> None:
            progress(before + part)

        try:
            kind = SUFFIXES.get(job.target.suffix.lower(), "PNG")
            picture, notes = work(read_picture(job.source), share)
            write_atomically(job.target, encode_picture(picture, kind), overwrite=overwrite)
            yield Outcome(job, notes=notes)
        except ImageError as error:
            yield Outcome(job, error=str(error))
        progress(index + 1)
