"""What each page has open: photographs, their results and masks. Pages know nothing of each other."""

from __future__ import annotations

import itertools
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.serve.steps import Inpaint, Step
from irflow_cli.serve.views import TILE, View
from irflow_cli.serve.worker import Tell, in_words

Box = tuple[int, int, int, int]  # left, top, width, height
MOST_BYTES = 2 * 2**30  # of the pixels that one page has open; older results make room


@dataclass(eq=False)
class Version:
    """A photograph as it was opened, or a result. steps: all that was done, from what was opened on; parent: what the last of
    it was done to; changed: boxes (left, top, width, height) outside of which it is as its parent is, None for all of it."""

    number: int
    view: View
    parent: int | None = None
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    changed: list[Box] | None = None

    @property
    def picture(self) -> Picture:
        """The picture itself."""
        return self.view.picture

    @property
    def bytes(self) -> int:
        """The memory of its pixels."""
        alpha = self.picture.alpha
        return self.picture.pixels.nbytes + (0 if alpha is None else alpha.nbytes)

    def tiles(self, level: int) -> list[tuple[int, int]]:
        """Return the column and row of the tiles at a level in which it is not as its parent, as far as it is known."""
        side = TILE << level
        return sorted({(left // side, top // side) for left, top, _, _ in self.changed or ()})

    def facts(self) -> dict[str, Any]:
        """Return what the page knows of it."""
        height, width = self.picture.pixels.shape[:2]
        return {
            "version": self.number,
            "parent": self.parent,
            "width": width,
            "height": height,
            "changed": self.changed,
            "kind": self.steps[-1].kind if self.steps else None,
            "steps": [step.suffix[1:] for step in self.steps],
            "notes": [in_words(note) for note in self.notes],
        }


@dataclass(eq=False)
class Photo:
    """A photograph of a page. name: below the folder, or what a dropped file was called; dropped: whether it lies elsewhere."""

    number: int
    name: str
    dropped: bool
    versions: dict[int, Version] = field(default_factory=dict)

    def version(self, number: object) -> Version:
        """Return a version. Raises UsageError when it is gone."""
        found = self.versions.get(number) if isinstance(number, int) else None
        if found is None:
            raise UsageError("this result is not there any more; go back to one that is")
        return found

    def facts(self) -> dict[str, Any]:
        """Return what the page knows of it."""
        opened = self.versions[0]
        about = {"photo": self.number, "name": self.name, "dropped": self.dropped, "format": opened.picture.format}
        grey, deep = opened.picture.pixels.ndim == 2, opened.picture.pixels.dtype.name
        return {**about, "depth": deep, "grey": grey, "alpha": opened.picture.alpha is not None, **opened.facts()}


class Tab:
    """A page in a browser. tell: sends it a message, from any thread."""

    def __init__(self, tell: Tell) -> None:
        self.tell, self.token = tell, secrets.token_urlsafe(12)
        self.photos: dict[int, Photo] = {}
        self.lock, self.numbers = threading.Lock(), itertools.count(1)

    def open(self, picture: Picture, name: str, *, dropped: bool) -> Photo:
        """Take a photograph in. Raises UsageError when there is no room for it."""
        with self.lock:
            photo = Photo(next(self.numbers), str(PurePosixPath(name)), dropped)
            photo.versions[0] = Version(0, View(picture), notes=picture.notes)
            opened = sum(one.versions[0].bytes for one in self.photos.values()) + photo.versions[0].bytes
            if self.photos and opened > MOST_BYTES // 2:
                raise UsageError(f"{name}: too many photographs are open; close one first")
            self.photos[photo.number] = photo
            return photo

    def photo(self, number: object) -> Photo:
        """Return a photograph. Raises UsageError when it is not open."""
        found = self.photos.get(number) if isinstance(number, int) else None
        if found is None:
            raise UsageError("this photograph is not open any more; open it again")
        return found

    def close(self, number: object) -> None:
        """Let a photograph go."""
        photo = self.photo(number)
        with self.lock:
            self.photos.pop(photo.number, None)

    def add(self, photo: Photo, base: Version, step: list[Step], picture: Picture, notes: tuple[str, ...]) -> Version:
        """Keep a result, made from `base`, and let the oldest results go where there is no room."""
        with self.lock:
            only = step[0] if len(step) == 1 else None
            changed = _changed(base.picture, picture, only) if isinstance(only, Inpaint) else None
            made = Version(next(self.numbers), View(picture), base.number, (*base.steps, *step), notes, changed)
            photo.versions[made.number] = made
            self._make_room(keep={made.number, base.number})
            return made

    def _make_room(self, keep: set[int]) -> None:
        total = sum(version.bytes for photo in self.photos.values() for version in photo.versions.values())
        results = [(number, photo) for photo in self.photos.values() for number in photo.versions if number]
        for number, photo in sorted(results, key=lambda pair: pair[0]):
            if total > MOST_BYTES and number not in keep:
                total -= photo.versions.pop(number).bytes


def _changed(before: Picture, after: Picture, step: Inpaint) -> list[Box]:
    """Return the tiles, as boxes, in which two pictures of one size differ, of those that a step may have changed."""
    edge, bits = step.dilate + step.feather, step.bits
    height, width = after.pixels.shape[:2]
    rows = range(max(0, bits.top - edge) // TILE * TILE, min(height, bits.top + bits.height + edge), TILE)
    columns = range(max(0, bits.left - edge) // TILE * TILE, min(width, bits.left + bits.width + edge), TILE)
    places = [(left, top, slice(top, top + TILE), slice(left, left + TILE)) for top in rows for left in columns]
    return [
        (left, top, TILE, TILE)
        for left, top, down, across in places
        if not np.array_equal(before.pixels[down, across], after.pixels[down, across])
    ]
