"""Raw frames on the standard streams."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
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


def test_options_that_mean_nothing_to_frames_are_refused(irflow) -> None:
    frames = ("restore", "-", "--raw", "64x64", "--task", "derain")
    spare = (
        "--watch",
        "--runner",
        "nonsense",
        "--compare",
        "--json",
        "--quality",
        "500",
        "--format",
        "bogus",
        "--shard",
        "9/3",
    )
    done = irflow(*frames, *spare)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    named = "--json, --compare, --format, --quality, --runner, --shard, --watch"
    assert f"{named} have no meaning with --raw; leave them out" in done.err
    assert "--resume has no meaning with --raw; leave it out" in irflow(*frames, "-q", "--resume").err
    assert "--verbose has no meaning with --raw; leave it out" in irflow(*frames, "-v").err


def test_frames_may_be_as_large_as_max_pixels_says(irflow, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = ("restore", "-", "--raw", "20000x10000", "--task", "derain")
    assert "--max-pixels raises the limit" in irflow(*frames).err
    monkeypatch.setattr(sys, "stdin", None)  # what is looked at after the size
    assert "standard input is closed" in irflow(*frames, "--max-pixels", 300_000_000).err
    monkeypatch.setenv("IRFLOW_MAX_PIXELS", "300000000")
    assert "standard input is closed" in irflow(*frames).err
