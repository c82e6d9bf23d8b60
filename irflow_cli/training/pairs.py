"""Pairs of a degraded and a clean picture in folders, as people lay them out and as the usual sets come. One table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.images.find import find_pictures

Side = tuple[Path, list[Path]]  # a half of a set of pairs: the folder from which names are counted, and the pictures
ROLE = re.compile(r"(?i)(?<![a-z0-9])(norain|rainy|rain|clean|degraded|gt|in|input|target|hr)(?![a-z])[-_ ]?")
DEPTH = 3  # folders below the one that is given in which pairs are looked for: a set, its half, a scene


class Layout(NamedTuple):
    """Two folders side by side. added: what the name of a degraded picture has more than that of its clean one, as a regular
    expression; several may then belong to one. enlarged: the degraded ones have fewer pixels, and are brought to size."""

    clean: str
    degraded: str
    added: str = ""
    enlarged: bool = False


LAYOUTS = (  # the first that is found counts, wherever it lies
    Layout("clean", "degraded"),
    Layout("clear", "hazy", r"_.*"),  # RESIDE: ITS and OTS, 0001_0.85_0.12.jpg of 0001.png
    Layout("gt", "hazy", r"_.*"),  # RESIDE: SOTS, 1400_3.png of 1400.png
    Layout("GT", "hazy", r"_.*"),
    Layout("sharp", "blur"),  # GoPro, a folder a scene
    Layout("high", "low"),  # LOL: our485 and eval15
    Layout("DIV2K_train_HR", "DIV2K_train_LR_bicubic/X4", r"x4", enlarged=True),
    Layout("DIV2K_train_HR", "DIV2K_train_LR_bicubic/X3", r"x3", enlarged=True),
    Layout("DIV2K_train_HR", "DIV2K_train_LR_bicubic/X2", r"x2", enlarged=True),
    Layout("expertC", "input"),  # MIT-Adobe FiveK, retouched by expert C
    Layout("target", "input"),  # Rain13K
    Layout("norain", "rain"),  # Rain100L, Rain100H
    Layout("groundtruth", "rainy"),  # Rain12
    Layout("gt", "data"),  # RainDrop
)


class Pair(NamedTuple):
    """A clean picture and a degraded one of it. group: what is held out for validation together, for it shows the same."""

    clean: Path
    degraded: Path
    group: str
    enlarged: bool = False


def has_pairs(folder: Path) -> bool:
    """Return whether a folder holds pairs in one of the LAYOUTS."""
    return _places(folder) is not None


def find_pairs(folder: Path) -> list[Pair]:
    """Return the pairs below `folder`, sorted by the clean picture's path, then the degraded one's; empty where there is none
    of the LAYOUTS. Raises UsageError for a picture without a partner, on either side, and for two where names are equal."""
    layout, places = _places(folder) or (LAYOUTS[0], [])
    pairs: list[Pair] = []
    for place in places:
        for clean, degraded in _partners(place / layout.clean, place / layout.degraded, layout.added):
            group = clean.stem if len(places) == 1 else place.relative_to(folder).as_posix()  # frames of a scene are alike
            pairs.append(Pair(clean, degraded, group, layout.enlarged))
    return sorted(pairs)


def _partners(clean: Path, degraded: Path, added: str) -> list[tuple[Path, Path]]:
    """Return the pairs of two folders. added: see Layout."""
    sides = find_pictures(clean), find_pictures(degraded)
    if not added:
        return list(matched((clean, sides[0]), (degraded, sides[1])).values())
    names = keyed(clean, sides[0], plain=False)
    several: dict[str, list[Path]] = {}
    for path in sides[1]:
        several.setdefault(re.sub(f"{added}$", "", _name(path, degraded)), []).append(path)
    _check_partners(names, several, degraded)
    _check_partners(several, names, clean)
    return [(names[key][0], path) for key, paths in several.items() for path in paths]


def matched(clean: Side, degraded: Side) -> dict[str, tuple[Path, Path]]:
    """Return the pairs of pictures that share one name, by that: as they are called, else without what tells rainy from clean.
    Raises UsageError for a picture that has no partner, or two, on either side."""
    for plain in (False, True):
        names, others = (keyed(*side, plain=plain) for side in (clean, degraded))
        if set(names) == set(others):
            break
    for found, partners, place in ((names, others, degraded[0]), (others, names, clean[0])):
        for paths in found.values():
            if len(paths) > 1:
                raise UsageError(f"{paths[0]} and {paths[1]} are one name; a picture has one partner")
        _check_partners(found, partners, place)
    return {key: (names[key][0], others[key][0]) for key in sorted(names)}


def _check_partners(found: dict[str, list[Path]], partners: dict[str, list[Path]], place: Path) -> None:
    """Raise UsageError for a picture without a partner in a place."""
    for key, paths in found.items():
        if key not in partners:
            raise UsageError(f"{paths[0].name} has no partner in {place}; pairs share one name")


def keyed(root: Path, paths: list[Path], *, plain: bool) -> dict[str, list[Path]]:
    """Return the paths by name, with `plain` without what tells rainy from clean (`norain-1`, `0_clean`, `X2/norain-1x2`)."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        name = _name(path, root)
        bare = ROLE.sub("", re.sub(r"^X2/(.*)x2$", r"\1", name)).strip("-_ ")
        found.setdefault((bare or name) if plain else name, []).append(path)
    return found


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def enlarged_to(degraded: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Return a degraded picture (h, w, 3), uint8, at the size of its clean one (H, W, 3), by bicubic interpolation."""
    return np.asarray(Image.fromarray(degraded).resize(clean.shape[1::-1], Image.Resampling.BICUBIC))


def _places(folder: Path) -> tuple[Layout, list[Path]] | None:
    """Return the first of the LAYOUTS that is there, and the folders whose two halves it names."""
    folders = list(_folders(folder))
    for layout in LAYOUTS:
        places = [place for place in folders if all((place / name).is_dir() for name in layout[:2])]
        if places:
            return layout, places
    return None


def _folders(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Yield a folder and those below it, sorted, without hidden ones and links."""
    yield folder
    with os.scandir(folder) as entries:
        inside = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name[0] != ".")
    for path in inside if depth else ():
        yield from _folders(Path(path), depth - 1)
