"""Which pictures are meant: what is typed, files, folders, patterns and lists of names, becomes pictures."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Protocol

from irflow_cli.batch.lists import names_in
from irflow_cli.errors import UsageError
from irflow_cli.images.find import find_others, find_pictures, may_be_file
from irflow_cli.images.formats import SUFFIXES
from irflow_cli.regular import is_folder, is_there

STREAM = Path("-")  # standard input as a source, standard output as a target


class Given(Protocol):
    """What is asked of `batch.plan.Files`, which says what each means."""

    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def output(self) -> Path | None: ...
    @property
    def suffix(self) -> str | None: ...
    @property
    def recursive(self) -> bool: ...


def sources_of(files: Given) -> list[tuple[Path, Path]]:
    """Return (picture, the folder its place in the tree is counted from), as the inputs say."""
    if len(files.inputs) == 2 and files.output is None:  # as other tools are called
        first, last = (Path(name) for name in files.inputs)
        missing = not is_there(last) and last.suffix.lower() in SUFFIXES and not glob.has_magic(str(last))
        if missing and is_there(first) and first.is_file():
            raise UsageError(f"{last} is not there; if it is to be the result, give it as `output`")
    names: list[str] = []
    unmatched: list[tuple[Path, Path]] = []
    for given in files.inputs:
        names += names_in(given[1:]) if given.startswith("@") and not is_there(Path(given)) else [given]
    found: list[tuple[Path, Path]] = []
    for name in names:
        if re.match(r"[a-z][a-z0-9+.-]+://", name, re.IGNORECASE) and not is_there(Path(name)):
            raise UsageError(
                f"{name} is an address; s3:// and its like are given as inputs, not in a list, others are got first"
            )
        if not name:
            raise UsageError("a name is empty; give a picture or a folder, . for this one")
        path = Path.cwd() / name if name != "-" and Path(name) == STREAM else Path(name)
        if name == "-":
            found.append((STREAM, STREAM))
        elif is_folder(path):
            found += _below(path, files)
        elif not is_there(path) and glob.has_magic(name):
            matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 - ** and absolute
            once = {match.resolve(): match for match in reversed(matches) if may_be_file(match)}  # links may lead back
            matched = [(match, match.parent) for match in reversed(once.values())]
            matched += [pair for match in matches if is_folder(match) and "**" not in name for pair in _below(match, files)]
            found += matched
            unmatched += [] if matched else [(path, path.parent)]
        else:
            found.append((path, path.parent))
    return found + unmatched if found else []


def _below(folder: Path, files: Given) -> list[tuple[Path, Path]]:
    """Return the pictures in a folder, or with `recursive` below it, without what an earlier run made of them, beside
    them or in a folder of results below."""
    pictures = find_pictures(folder, deep=files.recursive)
    if files.output is not None and folder.resolve() in (results := files.output.resolve()).parents:
        pictures = [picture for picture in pictures if results not in picture.resolve().parents]
    made = _results(pictures, files)
    return [(picture, folder) for picture in pictures if picture not in made]


def _results(pictures: list[Path], files: Given) -> dict[Path, bool]:
    """Return those of a folder's pictures that are called as results beside them are, and whether the pictures are there that
    they were made of."""
    if files.output is not None or not files.suffix:
        return {}
    found: dict[Path, bool] = {}
    names = {picture.with_suffix("") for picture in pictures}
    for picture in pictures:
        stem = picture.stem.removesuffix(files.suffix)
        if stem != picture.stem:
            there = any(picture.with_name(one) in names for one in (stem, re.sub(r"-\d+$", "", stem)))  # proposals are numbered
            if there or files.suffix[0] == ".":  # a suffix such as `2` may also end the name of a picture that is none
                found[picture] = there
    return found


def left_out(files: Given) -> str | None:
    """Return what to tell of pictures in the folders given that are left out for their names; None where there are none."""
    folders = [Path(name) for name in files.inputs if name != "-" and is_folder(Path(name))]
    others = [path.name for folder in folders for path in find_others(folder, deep=files.recursive)]
    made = [_results(find_pictures(folder, deep=files.recursive), files) for folder in folders]
    lone = [path.name for found in made for path, made_of in found.items() if not made_of]
    said = []
    if others:
        said += [f"{_counted(others)} of kinds that are not taken from a folder"]
    if lone:
        said += [f"{_counted(lone)} called as results are, though what they would be made of is not there"]
    return f"left out {', and '.join(said)}; to try them, give their names" if said else None


def _counted(names: list[str]) -> str:
    """Return how many files there are, and the first names."""
    files = f"{len(names)} files" if len(names) > 1 else "a file"
    return f"{files} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
