"""What a page can ask, and what it is answered. A request is a message (JSON) and, with pictures and masks, bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.responses import Response

from irflow_cli.errors import UsageError
from irflow_cli.images.decode import decode_picture
from irflow_cli.images.find import may_be_file
from irflow_cli.images.formats import Coding
from irflow_cli.serve import saving
from irflow_cli.serve.bits import Bits
from irflow_cli.serve.folder import Folder
from irflow_cli.serve.lobby import Json, Lobby
from irflow_cli.serve.marks import bits_of_file, mask_file, near_colour
from irflow_cli.serve.steps import Engines, Inpaint, Step, proposals_of, run_steps, step_of
from irflow_cli.serve.tabs import Photo, Tab, Version
from irflow_cli.serve.views import changes, difference_tile
from irflow_cli.serve.worker import Worker, WorkItem, in_words

SENT = 6  # tiles, at most, that a page is sent unasked


@dataclass(eq=False)
class Studio:
    """All that the server has: the folder, the engines, the queue, and the pages that are open."""

    lobby: Lobby
    engines: Engines
    worker: Worker
    tabs: dict[str, Tab] = field(default_factory=dict)

    @property
    def folder(self) -> Folder:
        """The folder that is served."""
        return self.lobby.folder

    def tab(self, token: object) -> Tab:
        """Return a page. Raises UsageError when it is closed."""
        found = self.tabs.get(token) if isinstance(token, str) else None
        if found is None:
            raise UsageError("the server does not know this page; reload it")
        return found

    def version(self, asked: Json) -> tuple[Tab, Photo, Version]:
        """Return what a message is about: its page, photograph and version."""
        tab = self.tab(asked.get("tab"))
        photo = tab.photo(asked.get("photo"))
        return tab, photo, photo.version(asked.get("version", 0))

    # What the page can ask. Each takes a message and what came with it as bytes.

    def open(self, asked: Json, data: bytes) -> Json:
        """Open a picture of the folder."""
        path = str(asked.get("path", ""))
        opened = self._opened(asked, path, self.folder.read(path, self.lobby.max_pixels), dropped=False)
        mask = saving.mask_of(path)
        return {**opened, "mask": mask if may_be_file(self.folder.place(mask)) else None}

    def drop(self, asked: Json, data: bytes) -> Json:
        """Open a picture that was dropped on the page."""
        name = PurePosixPath(str(asked.get("name", "")).replace("\\", "/")).name.lstrip(".")
        return self._opened(asked, name or "dropped.png", data, dropped=True)

    def _opened(self, asked: Json, name: str, data: bytes, *, dropped: bool) -> Json:
        tab = self.tab(asked.get("tab"))
        picture = decode_picture(data, name, self.lobby.max_pixels)
        return tab.open(picture, name, dropped=dropped).facts()

    def close(self, asked: Json, data: bytes) -> Json:
        """Let a photograph go, and stop what is being done to it."""
        tab = self.tab(asked.get("tab"))
        photo = tab.photo(asked.get("photo"))
        tab.close(photo.number)
        for item in (self.worker.current, *self.worker.waiting):
            if item is not None and item.owner is tab and item.about.get("photo") == photo.number:
                self.worker.cancel(tab, item.number)
        return {}

    def tile(self, asked: Json, data: bytes) -> Response:
        """Return a tile of a version, or of what it and another differ in."""
        _, photo, version = self.version(asked)
        place = tuple(_whole(asked, name) for name in ("level", "column", "row"))
        if "against" in asked:
            other = photo.version(asked["against"]).view
            gain = float(min(max(_whole(asked, "gain", 4), 1), 64))
            return _bytes(*difference_tile(version.view, other, (place[0], place[1], place[2]), gain))
        return _bytes(*version.view.tile(*place))

    def changes(self, asked: Json, data: bytes) -> Json:
        """Return what is different between a version and another."""
        _, photo, version = self.version(asked)
        return asdict(changes(photo.version(asked.get("against", 0)).view, version.view))

    def colour(self, asked: Json, data: bytes) -> Response:
        """Return, as bits, where a version is like at a point."""
        _, _, version = self.version(asked)
        point, tolerance = (_whole(asked, "x"), _whole(asked, "y")), _whole(asked, "tolerance", 12)
        return _bytes(near_colour(version.picture, point, tolerance, bool(asked.get("joined"))).message())

    def read_mask(self, asked: Json, data: bytes) -> Response:
        """Return, as bits, what a file says is missing: one that was dropped, or one of the folder."""
        _, _, version = self.version(asked)
        name = str(asked.get("path") or asked.get("name") or "mask")
        data = self.folder.read(name, self.lobby.max_pixels) if "path" in asked else data
        return _bytes(bits_of_file(data, name, version.picture, self.lobby.max_pixels).message())

    def mask_file(self, asked: Json, data: bytes) -> Json | Response:
        """Return a mask as the bytes of a PNG, white where the picture is missing, or write it beside the photograph."""
        _, photo, version = self.version(asked)
        size = version.picture.pixels.shape[:2]
        png = mask_file(Bits.read(data, size).inside(size))
        done = saving.passes(photo.name, version.steps, _save_options(asked))
        name = self._beside(photo, saving.mask_of(done[-1].target if done else photo.name))
        if not asked.get("beside"):
            return _bytes(png, "image/png", PurePosixPath(name).name)
        self._write(name, png, asked)
        return {"path": self.folder.shown(name)}

    def masks(self, asked: Json, data: bytes) -> Json:
        """Write the masks of all steps that have one beside the photograph, so that the command finds them."""
        _, photo, version = self.version(asked)
        written = []
        for one in saving.passes(photo.name, version.steps, _save_options(asked)):
            if isinstance(one.step, Inpaint):
                png = mask_file(one.step.bits.inside(one.step.size))
                written.append(self._write(self._beside(photo, one.mask), png, asked))
        return {"paths": written}

    def work(self, asked: Json, data: bytes) -> Json:
        """Put work into the queue: `steps` done one after another to a version, or several proposals of one step. What comes
        with it is the mask of an inpaint."""
        tab, photo, version = self.version(asked)
        size = version.picture.pixels.shape[:2]
        steps = _steps(asked, (Bits.read(data, size), size) if data else None)
        if not steps:
            raise UsageError("nothing is to be done; choose a task")
        count = _whole(asked, "proposals", 1)
        ways = [steps] if len(steps) > 1 else [[step] for step in proposals_of(steps[0], count, self.engines)]
        for step in (step for way in ways for step in way):
            step.check(self.engines)
        level = _whole(asked, "level", -1)  # which the page shows, if it wants to be sent what a filling changes

        def work(progress: Callable[[float], None]) -> Json:
            made = []
            for number, way in enumerate(ways):
                share = lambda part, done=number: progress((done + part) / len(ways))  # noqa: E731
                picture, notes = run_steps(way, self.engines, version.picture, share)
                made.append(tab.add(photo, version, way, picture, notes))
            _send_tiles(tab, photo, made[0], level)
            return {"versions": [one.facts() for one in made], "kept": sorted(photo.versions)}

        about = {"photo": photo.number, "kind": steps[0].kind, "version": version.number}
        item = WorkItem(tab, tab.tell, about, work)
        self.worker.add(item)
        return {"item": item.number}

    def cancel(self, asked: Json, data: bytes) -> Json:
        """Stop an item of the page's work, or all."""
        self.worker.cancel(self.tab(asked.get("tab")), asked.get("item"))
        return {}

    def command(self, asked: Json, data: bytes) -> Json:
        """Return the line of the command that does what was done to a version, and `steps` after it."""
        _, photo, version = self.version(asked)
        options = _save_options(asked)
        options.check()
        nothing = Bits(0, 0, 1, 1, b"\0"), (1, 1)
        steps = [*version.steps, *_steps(asked, nothing)]
        todo = saving.passes(photo.name, steps, options, version.picture.pixels.dtype.name)
        names = {name for one in todo for name in (one.source, one.mask, one.target)}
        shown = {} if photo.dropped else {name: self.folder.shown(name) for name in names}
        return {"command": saving.command(todo, options, self.engines, shown)}

    def save(self, asked: Json, data: bytes) -> Json:
        """Write a version beside the photograph; one that was dropped, into the folder."""
        _, photo, version = self.version(asked)
        name, content, notes = saving.file_of(photo, version, _save_options(asked))
        return {"path": self._write(self._beside(photo, name), content, asked), "notes": [in_words(note) for note in notes]}

    def download(self, asked: Json, data: bytes) -> Response:
        """Return a version as a file."""
        _, photo, version = self.version(asked)
        name, content, _ = saving.file_of(photo, version, _save_options(asked))
        return _bytes(content, "application/octet-stream", PurePosixPath(name).name)

    def _beside(self, photo: Photo, name: str) -> str:
        return PurePosixPath(name).name if photo.dropped else name

    def _write(self, name: str, data: bytes, asked: Json) -> str:
        self.folder.write(name, data, overwrite=bool(asked.get("overwrite")))
        return self.folder.shown(name)


def _send_tiles(tab: Tab, photo: Photo, version: Version, level: int) -> None:
    """Send a page what a filling changed, unless that is much, at the level at which it is looked at. The page would ask for it
    as soon as it knows of it, and wait for the answer."""
    tiles = version.tiles(level) if 0 <= level < 32 else []
    for column, row in tiles if len(tiles) <= SENT else ():
        message = {"photo": photo.number, "version": version.number, "level": level, "column": column, "row": row}
        head = json.dumps(message).encode()
        tab.tell(len(head).to_bytes(4, "little") + head + version.view.tile(level, column, row)[0])


def _steps(asked: Json, mask: tuple[Bits, tuple[int, ...]] | None) -> list[Step]:
    wanted = asked.get("steps", [])
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise UsageError("steps is no list of steps; reload the page")
    return [step_of(one, mask) for one in wanted]


def _save_options(asked: Json) -> saving.SaveOptions:
    quality, kind = asked.get("quality"), asked.get("format")
    if not (quality is None or (isinstance(quality, int) and not isinstance(quality, bool))):
        raise UsageError(f"quality is no number: {quality!r}")
    coding = Coding(quality, bool(asked.get("lossless")), str(asked.get("metadata") or "keep"))
    return saving.SaveOptions(str(kind) if kind else None, coding)


def _whole(asked: Json, name: str, usual: int | None = None) -> int:
    value = asked.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name} is no whole number: {value!r}")
    return value


def _bytes(data: bytes, kind: str = "application/octet-stream", name: str | None = None) -> Response:
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(os.fsencode(name))}"} if name else {}
    return Response(data, media_type=kind, headers=headers)
