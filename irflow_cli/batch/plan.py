"""Which pictures are worked on and where each result goes, found before any work."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from irflow_cli.batch.journal import Manifest
from irflow_cli.batch.remote import Mirror
from irflow_cli.batch.sources import STREAM, left_out, sources_of
from irflow_cli.errors import ImageError, NothingToDo, UsageError, require
from irflow_cli.images.formats import FORMATS, SUFFIXES, Coding
from irflow_cli.regular import is_folder, is_there
from irflow_cli.tasks import MAX_PIXELS

ENDINGS = {kind: suffix for suffix, kind in reversed(SUFFIXES.items())}
FIELDS = ("stem", "suffix", "ext", "index", "parent")  # of `name_template`
SPELLINGS = {suffix[1:]: kind for suffix, kind in SUFFIXES.items()}  # of `format`


@dataclass(frozen=True)
class Files:
    """What is read and written, and how: the part of a request that all commands over pictures share.

    inputs, as typed: files, folders (with `recursive`, all below them), patterns such as `*.jpg`, `@list.txt` with a name a
    line (or between zero bytes), and `-` for standard input. output: a file, a folder, `-`, or None for beside the input,
    where `suffix` is added to the name. name_template: of `{stem}`, `{suffix}`, `{ext}`, `{index}`, `{parent}`. mirror: of the
    inputs and outputs that are remote, which then are places in it (see `batch.remote`). shard: i/n, the i-th of n parts is
    done. dry_run: what would become of every picture is said, and nothing done. range: black and white of floating-point
    pixels, such as `0..255`.
    """

    inputs: tuple[str, ...]
    output: Path | None = None
    suffix: str | None = None
    name_template: str | None = None
    format: str | None = None
    recursive: bool = False
    overwrite: bool = False
    skip_existing: bool = False
    resume: bool = False
    dry_run: bool = False
    fail_fast: bool = False
    shard: str | None = None
    max_pixels: int = MAX_PIXELS
    range: str | None = None
    coding: Coding = field(default_factory=Coding)
    mirror: Mirror | None = None

    def check(self) -> None:
        """Raise UsageError, in one line, for what makes no sense whatever the pictures are."""
        self.coding.check()
        from irflow_cli.images.span import parse_range  # which loads numpy

        parse_range(self.range)
        part_of(self.shard)
        chosen = [name for name in ("overwrite", "skip_existing", "resume") if getattr(self, name)]
        contradicting = " and ".join(f"`{name}`" for name in chosen)
        require(self.format is None or self.kind is not None, f"`format` is one of {', '.join(SPELLINGS)}; got {self.format!r}")
        for name in ("suffix", "name_template"):
            text = getattr(self, name) or ""
            require(text.isprintable(), f"`{name}` {text!r} holds characters that cannot be seen; leave them out")
        require(len(chosen) < 2, f"{contradicting} contradict each other; give one of them")
        require(self.max_pixels > 0, f"`max_pixels` must be above 0, got {self.max_pixels}")
        require(
            not (self.name_template and self.one_file),
            "`name_template` names files in a folder; it cannot go with one output file",
        )
        names = [self.named(Path("a.png"), 0, ENDINGS[self.kind or "PNG"])] if self.name_template is not None else []
        names += [self.output] if self.one_file and self.output not in (None, STREAM) else []
        for name in names:
            if self.kind and name is not None and SUFFIXES[name.suffix.lower()] != self.kind:
                raise UsageError(f"`format` {self.format} and the name {name} contradict each other; leave `format` out")

    @property
    def kind(self) -> str | None:
        """The format asked for, by Pillow's name, or None for that of each source."""
        return SPELLINGS.get(self.format.lower()) if self.format else None

    @property
    def one_file(self) -> bool:
        """Whether the output is a file, or standard output, and no folder."""
        return self.output is not None and (self.output == STREAM or _is_picture_name(self.output))

    def named(self, source: Path, index: int, ext: str) -> Path:
        """Return the name of a result, which may hold folders, from the template."""
        values: dict[str, object] = {"stem": source.stem, "suffix": self.suffix or "", "ext": ext, "index": index}
        values["parent"] = source.absolute().parent.name
        template = self.name_template or ("{stem}{suffix}{ext}" if self.output is None else "{stem}{ext}")
        try:
            unknown = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None} - values.keys()
            name = "" if unknown else template.format(**values)
        except (ValueError, LookupError, AttributeError, TypeError, MemoryError) as error:
            raise UsageError(f"`name_template` {template!r} is not understood: {error}") from None
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise UsageError(f"`name_template` knows {known}; not {{{sorted(unknown)[0]}}}")
        if ".{ext}" in template:
            raise UsageError(f"`name_template` {template!r} has a dot too many: {{ext}} brings its own")
        path = Path(name)
        if not name.strip("./") or path.anchor or ".." in path.parts:
            raise UsageError(f"`name_template` {template!r} does not give a name inside the output folder")
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"`name_template` {template!r} does not end like a picture; end it with {{ext}}")
        return path


@dataclass(frozen=True)
class Job:
    """One picture to read and the file its result goes to; STREAM is standard input or output.

    mask: the file that says where to work, for tasks that have one. sample: which of several proposals this is.
    """

    source: Path
    target: Path
    exists: bool = False
    mask: Path | None = None
    sample: int = 0


Pairing = Callable[[list[tuple[Path, Path]]], list[Path | None]]  # (picture, where its place is counted from) -> masks


def plan(
    files: Files, samples: int = 1, masks_of: Pairing = lambda pictures: [None] * len(pictures), apart: Path | None = None
) -> list[Job]:
    """Return the jobs of a request, in order, each picture once, or once for each of several proposals, numbered from 1.

    apart: a file or folder that is no input, even if it lies among them, unless nothing else does.

    Without `output` results lie beside the inputs; a folder's own outputs (names that end in `suffix`) are not read
    again. With it they go to that folder, keeping a folder's tree, or, for one input file and a name that ends like a
    picture, to that file; one below the inputs is not read. Raises NothingToDo without pictures, and where patterns match none;
    UsageError for two results in one file, a result that would replace an input, and results that exist unless one of
    overwrite, skip_existing and resume is set. A missing input stays in the plan and fails when its turn comes.
    """
    files.check()
    with _following():
        jobs = _planned(files, samples, masks_of, apart)
        _check_targets(jobs, files)
    return _shard(jobs, files.shard)


def plan_again(files: Files, taken: dict[Path, Path]) -> tuple[list[Job], dict[Job, str]]:
    """Return the jobs of a request whose folders have grown since it was planned, in order, and, for those that cannot
    be done, the reason: their results would go where another's does.

    taken: by place, the picture whose result goes there, from one time to the next: who came first keeps it. Raises
    NothingToDo, and UsageError where nothing can be looked at.
    """
    with _following():
        jobs = _planned(files, 1, lambda pictures: [None] * len(pictures), None)
        there = {job.source for job in jobs}
        for target in [target for target, source in taken.items() if source not in there]:
            del taken[target]
        return _shard(jobs, files.shard), dict(_refused(jobs, taken))


@contextlib.contextmanager
def _following() -> Iterator[None]:
    """Turn what the system says of names that are too long and links that lead to themselves into a UsageError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise UsageError(f"a name cannot be followed: {error}") from None


def _planned(files: Files, samples: int, masks_of: Pairing, apart: Path | None) -> list[Job]:
    sources = sources_of(files)
    if apart is not None:
        place = apart.resolve()
        sources = [pair for pair in sources if place not in (real := pair[0].resolve(), *real.parents)] or sources
    if not sources:
        deeper = not files.recursive and any(is_folder(Path(name)) for name in files.inputs)
        hint = "; -r looks into the folders below, too" if deeper else ""
        others = f"; {found}" if (found := left_out(files)) else ""
        raise NothingToDo(f"no pictures in {', '.join(files.inputs)}{hint}{others}")
    if files.one_file and (len(sources) != 1 or (files.output != STREAM and is_folder(Path(files.inputs[0])))):
        raise UsageError(f"{files.output} is one file, but the input is more than one picture; give a folder")
    if any(source == STREAM for source, _ in sources) and len(sources) > 1:
        raise UsageError("standard input (-) is one picture and goes alone")
    jobs: dict[tuple[Path, int], Job] = {}
    masked = list(zip(sources, masks_of(sources), strict=True))
    for ((source, root), mask), sample in itertools.product(masked, range(samples)):
        target = _target(files, source, root, len(jobs) // samples)
        if samples > 1:
            ours = files.suffix if files.suffix and target.stem.endswith(files.suffix) else ""
            target = target.with_stem(f"{target.stem.removesuffix(ours)}-{sample + 1}{ours}")
        exists = target != STREAM and os.path.lexists(target)  # a link that leads nowhere, too
        jobs.setdefault((source.absolute(), sample), Job(source, target, exists, mask, sample))
    planned = list(jobs.values())
    if files.resume or files.skip_existing:  # results of the run before are no pictures to work on
        made = {job.target.absolute() for job in planned if job.exists and job.target.absolute() != job.source.absolute()}
        planned = [job for job in planned if job.source.absolute() not in made]
    return planned


def part_of(shard: str | None) -> tuple[int, int]:
    """Return which part of how many, counted from 1. Raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", shard or "1/1")
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    require(1 <= part <= parts, f"`shard` is i/n with i from 1 to n, such as 3/8; got {shard!r}")
    return part, parts


def _shard(jobs: list[Job], shard: str | None) -> list[Job]:
    """Return a shard's share of jobs. It hangs on the names of results alone, so that no two shards write one file, and each
    finds its own again, whatever has been done meanwhile."""
    part, parts = part_of(shard)

    def place(job: Job) -> int:
        return int.from_bytes(hashlib.sha256(os.fsencode(job.target)).digest()[:8], "big") % parts

    return [job for job in jobs if place(job) == part - 1]


def _target(files: Files, source: Path, root: Path, index: int) -> Path:
    if source == STREAM and files.output is None:
        return STREAM
    if files.one_file:
        return files.output or STREAM
    if files.output and re.fullmatch(r"\.[A-Za-z]\w{1,3}", files.output.suffix) and not is_folder(files.output):
        known = ", ".join(FORMATS)
        raise UsageError(f"{files.output.suffix} is none of {known}; if {files.output} is to be a folder, make it first")
    kept = source.suffix if source.suffix.lower() in SUFFIXES else ".png"
    ext = ENDINGS[files.kind] if files.kind and SUFFIXES[kept.lower()] != files.kind else kept
    name = files.named(Path("stdin") if source == STREAM else source, index, ext)
    if files.output is None:
        return source.parent / name
    return files.output / (source.relative_to(root).parent if root != source.parent else Path()) / name


def _is_picture_name(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not is_folder(path)


def _check_folders(jobs: list[Job]) -> None:
    """Raise UsageError for a folder of results that cannot be made."""
    for folder in dict.fromkeys(job.target.parent for job in jobs if job.target != STREAM):
        there = next((path for path in (folder, *folder.parents) if is_there(path)), folder)
        if not is_folder(there):
            raise UsageError(f"{there} is no folder, and none can be in its place; give another output")


def _check_targets(jobs: list[Job], files: Files) -> None:
    _check_folders(jobs)
    for _, why in _refused(jobs, {}):
        raise UsageError(why)
    existing = [job.target for job in _shard(jobs, files.shard) if job.exists]
    if existing and not (files.overwrite or files.skip_existing or files.resume):
        exist = f" and {len(existing) - 1} more exist" if len(existing) > 1 else " exists"
        ways = "`overwrite`, `skip_existing`" + (", `resume`" if _on_record(existing[0]) else "")
        raise UsageError(f"{existing[0]}{exist}; use {ways} or another output")


def _refused(jobs: list[Job], taken: dict[Path, Path]) -> Iterator[tuple[Job, str]]:
    """Yield the jobs whose results would go where an input or another's result is, and why. taken: whose is where, added to."""
    sources = {path.resolve() for job in jobs for path in (job.source, job.mask) if path is not None}
    for job in jobs:
        if job.target == STREAM:
            continue
        target = job.target.resolve()
        if target in sources:
            yield job, f"{job.target} is an input; give another output, irflow does not write over its inputs"
        elif taken.setdefault(target, job.source) != job.source:
            both = f"{taken[target]} and {job.source} would both become {job.target}"
            yield job, f"{both}; give a `name_template`, or work on them one by one"


def _on_record(path: Path) -> bool:
    """Return whether a result is as a run left it that can be gone on with."""
    try:
        return Manifest.of(path.parent).knows(path)
    except ImageError:
        return False
