"""What a page is answered before pictures can be read: what there is to choose from, and what lies in the folder.

Nothing that takes long to load is imported here, so that the page is there at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import irflow_cli
from irflow_cli.engines.settings import ENLARGING, FILLING, USUAL
from irflow_cli.images.claims import most_of
from irflow_cli.images.formats import FORMATS
from irflow_cli.serve import OPENED
from irflow_cli.serve.folder import Folder
from irflow_cli.serve.steps import PROPOSALS
from irflow_cli.tasks import RESTORED, TASKS

Json = dict[str, Any]


@dataclass(frozen=True)
class Lobby:
    """The folder, and how the server was started. max_pixels: of a picture that is opened."""

    folder: Folder
    max_pixels: int = OPENED

    @property
    def most(self) -> int:
        """Bytes of the largest file that is taken in."""
        return most_of(self.max_pixels)

    def menu(self, asked: Json, data: bytes) -> Json:
        """Return what there is to choose from, and how the server was started."""
        tasks = [
            {"task": name, "summary": one.summary, "steps": one.steps, "sigma": one.sigma_max}
            for name, one in ((name, TASKS[name]) for name in RESTORED)
        ]
        formats = {name: {"exact": form.exact != "never", "alpha": form.alpha} for name, form in FORMATS.items()}
        presets = {
            "inpaint": [name for name in FILLING if name != USUAL],
            "upscale": [name for name in ENLARGING if name != USUAL],
        }
        about = {"version": irflow_cli.__version__, "folder": str(self.folder.given), "read_only": self.folder.read_only}
        return {"tasks": tasks, "formats": formats, "proposals": PROPOSALS, "presets": presets, **about}

    def list(self, asked: Json, data: bytes) -> Json:
        """Return what lies in a folder below the one that is served."""
        return {"entries": [asdict(entry) for entry in self.folder.list(str(asked.get("path", "")))]}
