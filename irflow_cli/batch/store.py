"""Where the pictures of a batch come from and go to: read, checked against what was done already, and written."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from irflow_cli.batch.journal import NAME, Manifest, sha256
from irflow_cli.batch.plan import STREAM, Files, Job
from irflow_cli.errors import FolderClosed, ImageError, IrflowError
from irflow_cli.images.claims import check_size, most_of, read_file
from irflow_cli.images.decode import decode_picture
from irflow_cli.images.encode import check_encoding, encode_picture
from irflow_cli.images.formats import FORMATS, SUFFIXES
from irflow_cli.images.picture import Picture
from irflow_cli.images.span import parse_range
from irflow_cli.regular import is_there
from irflow_cli.runtime.device import out_of_memory
from irflow_cli.runtime.files import begun_in, clear_begun, may_write, takes_files, write_atomically
from irflow_cli.runtime.heap import trim

LARGE = 2**24  # bytes of pixels, beside which the heap's reserve is in the way while they are written
ELSEWHERE = "give another `output`, or make this one writable"


@dataclass(frozen=True)
class Outcome:
    """What became of a job. status: done, failed (`error` is one line), skipped (its result was there already), planned (in
    a dry run it would be worked on), or unused (a mask that no picture has).

    notes are worth telling the user; data are the result's bytes when they go to standard output; megapixels and seconds
    (of the work alone) are 0 when there was no work. digest: sha256 of the result's bytes, where they are known. by: what did
    the work, in words.
    """

    job: Job
    status: str = "done"
    error: str | None = None
    notes: tuple[str, ...] = ()
    data: bytes | None = None
    megapixels: float = 0.0
    seconds: float = 0.0
    digest: str | None = None
    by: str = ""


class Loaded(NamedTuple):
    """A picture that was read, and the key of its content and settings; or, without a picture, its outcome."""

    picture: Picture | None
    key: str = ""
    outcome: Outcome | None = None


def is_taken(target: Path) -> bool:
    """Return whether something is in the place of a result, be it a link to nowhere; never in that of standard output."""
    return target != STREAM and os.path.lexists(target)


def surprise(job: Job, error: Exception) -> str:
    """Return what is said of a picture that fails for a reason nobody foresaw; the others go on. What is wrong with the whole
    run, such as a device that is gone, is raised again."""
    if isinstance(error, IrflowError):
        raise error
    if out_of_memory(error):
        return f"{job.source}: not enough memory for it; free some, or cut the picture"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{job.source}: cannot be worked on ({said}); convert it to PNG, or leave it out"


class Store:
    """Where pictures come from and go to: reads, keeps the manifests, writes."""

    def __init__(self, files: Files, identity: str, opaque: bool = False, scale: int = 1) -> None:
        self.files, self.identity, self.opaque, self.scale = files, identity, opaque, scale
        self.manifests: dict[Path, Manifest] = {}
        self.begun: dict[Path, list[Path]] = {}  # by folder: what was not whole there before anything was done
        self.lock = threading.Lock()

    def load(self, job: Job) -> Loaded:
        """Return the job's picture, or its outcome when there is nothing to do or nothing that can be done."""
        try:
            if self.files.skip_existing and is_taken(job.target):
                return Loaded(None, outcome=Outcome(job, "skipped"))
            name = "standard input" if job.source == STREAM else str(job.source)
            self._bring(job)
            data = _piped(self.files.max_pixels) if job.source == STREAM else read_file(job.source, self.files.max_pixels)
            if self.files.mirror:
                self.files.mirror.drop(job.source)
            key = self._key(job, data)
            if made := self._there_already(job, key):
                return Loaded(None, outcome=made)
            picture = decode_picture(data, name, self.files.max_pixels, parse_range(self.files.range))
            try:
                result = replace(picture, alpha=None) if self.opaque else picture
                check_encoding(result, _kind_of(job, self.files, picture), self.files.coding, self.scale)
            except ImageError as error:
                raise ImageError(f"{name}: {error}") from None
            return Loaded(picture, key)
        except ImageError as error:
            return Loaded(None, outcome=Outcome(job, "failed", str(error)))
        except Exception as error:
            return Loaded(None, outcome=Outcome(job, "failed", surprise(job, error)))

    def dry_run(self, job: Job) -> Outcome:
        """Return what would become of a job, as far as that can be told without its picture."""
        try:
            if self.files.skip_existing and job.exists:
                return Outcome(job, "skipped")
            _check_mask(job)
            if job.source != STREAM:
                _check_file(job.source, self.files.max_pixels)
                there = self.files.resume and job.exists
                if there and (made := self._made(job, self._key(job, read_file(job.source, self.files.max_pixels)))):
                    return Outcome(job, "skipped", digest=made)
            if job.target != STREAM and not may_write(job.target.parent):
                said = f"cannot write {job.target}: {os.strerror(errno.EACCES)}"
                raise IrflowError(f"{said}; {ELSEWHERE}") if self.files.output else ImageError(said)
            return Outcome(job, "planned")
        except ImageError as error:
            return Outcome(job, "failed", str(error))

    def _key(self, job: Job, data: bytes) -> str:
        """Return what the result of a picture, as bytes, is made from: its content, its mask's, and the settings."""
        _check_mask(job)
        beside = "" if job.mask is None else f" {sha256(read_file(job.mask, self.files.max_pixels))}"
        asked = f"{self.files.coding} {self.files.format}{self.files.range or ''}"
        made_of = f"{sha256(data)} {self.identity} {asked}{beside} {job.sample or ''}"
        return sha256(made_of.strip().encode())

    def _made(self, job: Job, key: str) -> str | None:
        """Return the digest of the result if a run with `resume` has made it already, be it one that works at the same time.

        Raises ImageError where what is there may not be replaced, and IrflowError, which ends the run, where another run has
        put something else there since this one began.
        """
        if self.files.overwrite or not is_taken(job.target):
            return None
        manifest = self._manifest(job.target) if self.files.resume else None
        if manifest and not job.exists:
            with contextlib.suppress(OSError):  # a file that was a record before
                manifest.read_on()
        if manifest and manifest.proves(job.target, key):
            return manifest.entries[job.target.name]["sha256"]
        if not job.exists and not self.files.skip_existing:
            raise IrflowError(
                f"{job.target} was not there when this run began: another one writes to {job.target.parent}; let it end, or "
                "give each a `shard` of the same"
            )
        if manifest is None or manifest.knows(job.target):
            return None
        known = job.target.name in manifest.entries
        why = "is not as irflow left it" if known else "no record says that irflow made it"
        raise ImageError(f"{job.target} exists and {why}; move it, or use `overwrite` or `skip_existing`")

    def store(self, outcome: Outcome, picture: Picture, key: str) -> Outcome:
        """Write the picture and return the outcome of it."""
        job = outcome.job
        if picture.pixels.nbytes > LARGE:
            trim()
        try:
            data, said = encode_picture(picture, _kind_of(job, self.files, picture), self.files.coding, spend=True)
            notes = (*outcome.notes, *said)
            if job.target == STREAM:
                return replace(outcome, notes=notes, data=data)
            if made := self._there_already(job, key):
                return made
            beside = self.files.resume or is_there(job.target.parent / NAME)  # what is there already stays true
            if beside:
                self._manifest(job.target)
                clear_begun(job.target, self.begun[job.target.parent])
            if not (self.files.mirror and self.files.mirror.holds(job.target)):
                self._manifest(job.target).record(job.target, key, data, beside=beside)
            self._put(job.target, data)
            return replace(outcome, notes=notes, digest=sha256(data))
        except FolderClosed as error:
            if self.files.output is None or takes_files(self.files.output):
                return Outcome(job, "failed", str(error), outcome.notes)
            raise IrflowError(f"{error}; {ELSEWHERE}") from None  # it will take none
        except ImageError as error:
            if self.files.skip_existing and is_taken(job.target):  # as of a moment ago, from another run
                return Outcome(job, "skipped")
            text = str(error)
            return Outcome(job, "failed", text if str(job.target) in text else f"{job.source}: {text}", outcome.notes)
        except Exception as error:
            return Outcome(job, "failed", surprise(job, error), outcome.notes)

    def _there_already(self, job: Job, key: str) -> Outcome | None:
        """Return the outcome of a job whose result is there, also where another run has put it since. Raises as `_made`."""
        if self.files.skip_existing and is_taken(job.target):
            return Outcome(job, "skipped")
        made = self._made(job, key)
        return Outcome(job, "skipped", digest=made) if made else None

    def _put(self, target: Path, data: bytes) -> None:
        """Write a result where it belongs. Raises ImageError, DiskFull."""
        try:
            write_atomically(target, data, overwrite=self.files.overwrite or self.files.resume)
        except ImageError:  # a run that has just started may have taken what was begun for a dead one's
            if not self.files.resume:
                raise
            write_atomically(target, data, overwrite=True)
        if self.files.mirror:
            self.files.mirror.send(target)

    def _bring(self, job: Job) -> None:
        """Bring what a job reads, where that is remote, unless it is too large."""
        if self.files.mirror is None or job.source == STREAM:
            return
        if job.source.exists():  # else this is another machine than the one that looked
            _check_file(job.source, self.files.max_pixels)
        self.files.mirror.bring(job.source)
        if job.mask is not None and job.mask.exists():
            self.files.mirror.bring(job.mask, mask=True)

    def _manifest(self, target: Path) -> Manifest:
        with self.lock:
            if target.parent not in self.manifests:
                self.begun[target.parent] = begun_in(target.parent)
                self.manifests[target.parent] = Manifest.of(target.parent)
            return self.manifests[target.parent]


def _piped(max_pixels: int) -> bytes:
    """Return the bytes of standard input. Raises ImageError as `read_file` does."""
    if sys.stdin is None:
        raise ImageError("standard input: is closed; give a file, or something to read from")
    try:
        data = sys.stdin.buffer.read(most_of(max_pixels) + 1)
    except OSError as error:  # a folder, say
        raise ImageError(f"standard input: {error.strerror or error}") from None
    if len(data) > most_of(max_pixels):
        raise ImageError(f"standard input: too large for {max_pixels} pixels; `max_pixels` raises the limit")
    return data


def _check_file(path: Path, max_pixels: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from None
    check_size(path, size, max_pixels)


def _check_mask(job: Job) -> None:
    if job.mask is not None and not is_there(job.mask):
        name = "standard input" if job.source == STREAM else job.source
        raise ImageError(f"{name}: has no mask, {job.mask} is not there")


def _kind_of(job: Job, files: Files, picture: Picture) -> str:
    """Return the format of a job's result: of its name, or as asked, or the picture's own where irflow writes that."""
    kind = SUFFIXES.get(job.target.suffix.lower()) or files.kind or picture.format
    return kind if kind in FORMATS else "PNG"


def recoded(job: Job, files: Files, picture: Picture) -> tuple[str, ...]:
    """Return what to tell the user when the result's format does not keep pixels as they are."""
    kind = _kind_of(job, files, picture)
    asked = files.coding.lossless or (kind == picture.format and picture.coding.get("lossless"))
    if FORMATS[kind].exact == "always" or (FORMATS[kind].exact == "on demand" and asked):
        return ()
    return (f"is written as {kind}, which codes all pixels anew; `format` png keeps those outside of holes exactly",)
