"""`irflow serve` in a process of its own, and a folder for it."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from drawn import scene
from encoded import png_of
from PIL import Image

from irflow_cli.serve.bits import Bits

PATIENCE = 120  # seconds that a busy machine may take


@dataclass
class Served:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    folder: Path

    @property
    def home(self) -> str:
        """The address without the token."""
        return self.address.partition("?")[0]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Send a signal and return the exit code, and what was said on the way."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode, said


def begin(folder: Path, *options: str) -> Served:
    """Serve a folder; one thread, so that results are those of a command with one."""
    words = [sys.executable, "-m", "irflow_cli", "serve", str(folder), "--device", "cpu", *options]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "IRFLOW_ENGINE": "torch", "IRFLOW_PRECISION": "fp32"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    return Served(process, process.stdout.readline().strip(), folder)


def fill_folder(place: Path) -> Path:
    """Return a new folder with pictures, one below it, things that are none, and a picture outside of it."""
    folder = place / "photos"
    (folder / "below").mkdir(parents=True)
    Image.fromarray(scene(60, 80)).save(folder / "a.png")
    Image.fromarray(scene(60, 80)).save(folder / "b.jpg")
    Image.fromarray(scene(40, 40, seed=1)).save(folder / "below" / "c.png")
    (folder / "text.png").write_text("no picture")
    (place / "secret.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "way-out.png").symlink_to(place / "secret.png")
    return folder


@functools.cache
def bomb(width: int, height: int) -> bytes:
    """Return a PNG of one grey level, small as a file and large as a picture."""
    return png_of(width, height, 8, (bytes(width) for _ in range(height)))


def hole(size: tuple[int, int]) -> bytes:
    """Return a mask as the page sends it."""
    inside = np.zeros(size, bool)
    inside[10:14, 8:30] = True
    return Bits.of(inside).message()
