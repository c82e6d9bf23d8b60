"""Raw frames on the standard streams."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from drawn import scene

from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.images.picture import Picture


def test_frames_go_through_the_streams_and_are_counted(tiny_checkpoint, irflow) -> None:
    pixels = [scene(24, 40, seed) for seed in range(2)]
    given = ("--task", "derain", "--checkpoint", str(tiny_checkpoint("derain")), "--device", "cpu", "--raw", "40x24")
    command = [sys.executable, "-m", "irflow_cli", "restore", "-", *given]
    done = subprocess.run(command, input=b"".join(one.tobytes() for one in pixels), capture_output=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, b"2 frames")
    first = Restorer(RestoreSettings("derain", checkpoint=given[3], device="cpu")).restore(Picture(pixels[0], None, "PNG"))[0]
    assert np.array_equal(np.frombuffer(done.stdout, np.uint8)[: first.pixels.size].reshape(first.pixels.shape), first.pixels)
    refused = irflow("restore", "a.png", *given)
    assert (refused.code, "--raw takes frames from standard input" in refused.err) == (2, True)
