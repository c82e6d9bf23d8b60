"""Results as files: their names, their bytes and the command that makes the same, as if each step had been run by itself.

The command writes a file after every step and reads it for the next. So does this in effect: what lies between is a lossless
file, and the last one is coded as the command codes it, from the engine's pixels, byte for byte.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from irflow_cli.batch.plan import ENDINGS, SPELLINGS, Files, Job
from irflow_cli.errors import UsageError
from irflow_cli.images.decode import decode_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.formats import FORMATS, SUFFIXES, Coding
from irflow_cli.images.picture import Picture
from irflow_cli.serve.steps import Engines, Inpaint, Step
from irflow_cli.serve.tabs import Photo, Version

SAMPLE = 16  # pixels of a side of the corner by which it is found what a lossless file keeps beside the pixels


@dataclass(frozen=True)
class SaveOptions:
    """How a result is to be stored. format: as --format, None for the photograph's own."""

    format: str | None = None
    coding: Coding = field(default_factory=Coding)

    def check(self) -> None:
        """Raise UsageError for what makes no sense."""
        if self.format is not None and self.format not in SPELLINGS:
            raise UsageError(f"unknown `format` {self.format!r}; there are {', '.join(SPELLINGS)}")
        self.coding.check()

    def words(self) -> list[str]:
        """Return the options of the command, but for --format."""
        options = ["--quality", str(self.coding.quality)] if self.coding.quality is not None else []
        options += ["--lossless"] if self.coding.lossless else []
        return options + (["--metadata", self.coding.metadata] if self.coding.metadata != "keep" else [])


@dataclass(frozen=True)
class Pass:
    """One command: what it reads, its mask's file, what it writes, and the format that must be named, if any."""

    step: Step
    source: str
    mask: str
    target: str
    kind: str | None


def passes(name: str, steps: Sequence[Step], options: SaveOptions, depth: str = "uint8") -> list[Pass]:
    """Return the commands that do steps to a file, whose results lie beside it; depth: of its pixels."""
    found = []
    for number, step in enumerate(steps):
        path = PurePosixPath(name)
        own = path.suffix if path.suffix.lower() in SUFFIXES else ".png"
        kind = SUFFIXES[own.lower()]
        if number < len(steps) - 1:
            between = "TIFF" if depth == "float32" else "PNG"
            wanted = None if FORMATS[kind].exact == "always" else between
        else:
            first = PurePosixPath(found[0].source if found else name).suffix
            wanted = SPELLINGS[options.format] if options.format else SUFFIXES.get(first.lower(), "PNG")
        ending = own if wanted in (None, kind) else ENDINGS[wanted or kind]
        named = None if wanted in (None, kind) else ending[1:]
        target = str(path.with_name(f"{path.stem}{step.suffix}{ending}"))
        found.append(Pass(step, name, mask_of(name), target, named))
        name = target
    return found


def mask_of(name: str) -> str:
    """Return what the mask's file beside a picture is called."""
    return str(PurePosixPath(name).with_suffix("")) + ".mask.png"


def command(todo: Sequence[Pass], options: SaveOptions, engines: Engines, shown: dict[str, str]) -> str:
    """Return the line that does the passes in a shell. shown: names as one would type them, where they are others."""
    lines = []
    for number, one in enumerate(todo):
        source, mask = shown.get(one.source, one.source), shown.get(one.mask, one.mask)
        words = ["irflow", *one.step.words(source, mask), *(["--format", one.kind] if one.kind else [])]
        last = number == len(todo) - 1
        lines.append(shlex.join([*words, *(options.words() if last else []), *engines.words()]))
    return " && \\\n".join(lines)


def file_of(photo: Photo, version: Version, options: SaveOptions) -> tuple[str, bytes, tuple[str, ...]]:
    """Return a result's name beside the photograph, the bytes of its file, and what got lost on the way.

    Raises UsageError for a photograph to which nothing was done, ImageError for formats that cannot hold the result."""
    options.check()
    if not version.steps:
        raise UsageError("nothing was done to it yet; restore, inpaint or upscale it first")
    todo = passes(photo.name, version.steps, options, version.picture.pixels.dtype.name)
    picture = version.picture
    if len(todo) > 1:
        picture = as_stored(picture, photo.versions[0].picture, SUFFIXES[PurePosixPath(todo[-1].source).suffix.lower()])
    kind = SUFFIXES[PurePosixPath(todo[-1].target).suffix.lower()]
    data, notes = encode_picture(picture, kind, options.coding)
    if any(isinstance(one.step, Inpaint) for one in todo):
        from irflow_cli.batch.store import recoded  # which loads torch

        notes += recoded(Job(Path(todo[-1].source), Path(todo[-1].target)), Files((), coding=options.coding), picture)
    return todo[-1].target, data, notes


def as_stored(picture: Picture, opened: Picture, kind: str) -> Picture:
    """Return a picture with the format, tags and coding that it has after it was stored losslessly as `kind` and read again."""
    corner = slice(0, SAMPLE), slice(0, SAMPLE)
    alpha = None if picture.alpha is None else np.ascontiguousarray(picture.alpha[corner])
    small = replace(opened, pixels=np.ascontiguousarray(picture.pixels[corner]), alpha=alpha)
    read = decode_picture(encode_picture(small, kind, Coding())[0], "between")
    return replace(picture, format=read.format, tags=read.tags, coding=read.coding)
