"""Damaged files never do more than fail, and a killed batch leaves whole files or none. Counts are told at the end."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image

from irflow_cli.errors import ImageError
from irflow_cli.runtime.encoding import FORMATS, encode_picture
from irflow_cli.runtime.images import Picture, as_depth, decode_picture, read_picture

DAMAGES = 40  # of each file: half cut off, half with flipped bits
KILLS = 100


def files() -> dict[str, bytes]:
    """Return a file of every format and depth that is written without extras."""
    made = {}
    for kind, form in FORMATS.items():
        if kind == "HEIF":
            continue
        for dtype in form.dtypes:
            picture = Picture(as_depth(scene(40, 52), np.dtype(dtype)), None, "PNG")
            made[f"{kind}-{dtype}"] = encode_picture(picture, kind)[0]
    return made


FILES = files()


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Return `data` cut off at a random place, or with one to eight bits turned over."""
    if draw.random() < 0.5:
        return data[: draw.randrange(len(data))]
    spoiled = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        spoiled[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(spoiled)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_pictures_or_one_line(name: str, robustness: Callable[[str, int], None]) -> None:
    draw, refused = random.Random(name), 0
    for _ in range(DAMAGES):
        try:
            picture = decode_picture(damaged(FILES[name], draw), "file", max_pixels=1_000_000)
            assert picture.pixels.ndim in (2, 3)
        except ImageError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused >= DAMAGES // 4  # files that are cut off, at least, are not taken for whole
    robustness("damaged files read", DAMAGES)


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from irflow_cli.runtime.images import read_picture
from irflow_cli.services.batch import work_through
from irflow_cli.services.planning import Files, plan

source, target, kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
files = Files((str(source),), target, resume=True)
work = lambda job, picture, progress: (picture.with_pixels(255 - picture.pixels), ())
inverted = {path.name: 255 - read_picture(path).pixels for path in source.iterdir()}
draw, whole, ends = random.Random(0), 0, time.monotonic() + 300
for _ in range(kills):
    child = os.fork()
    if child == 0:
        list(work_through(plan(files), work, files, "inverted"))
        os._exit(0)
    wanted = min(12, len(list(target.glob("*.png"))) + draw.randint(0, 2))  # so that slow machines get somewhere, too
    while len(list(target.glob("*.png"))) < wanted and time.monotonic() < ends:
        time.sleep(0.0005)
    time.sleep(draw.random() * 0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for path in target.glob("*.png") if target.exists() else ():
        assert np.array_equal(read_picture(path).pixels, inverted[path.name]), path
        whole += 1
    if draw.random() < 0.3 and target.exists():  # begin anew now and then, or all would soon be done
        for path in target.glob("*.png"):
            path.unlink()
print(whole)
assert all(outcome.error is None for outcome in work_through(plan(files), work, files, "inverted"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_killed_batch_leaves_whole_files_and_goes_on(tmp_path: Path, robustness: Callable[[str, int], None]) -> None:
    (tmp_path / "in").mkdir()
    for index in range(12):
        Image.fromarray(scene(60, 80, index)).save(tmp_path / "in" / f"{index}.png")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "in")]
    done = subprocess.run([*command, str(tmp_path / "out"), str(KILLS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0  # some kills came when there was something to spoil
    subprocess.run([*command, str(tmp_path / "unbroken"), "0"], capture_output=True, check=True)
    results = sorted(path.name for path in (tmp_path / "unbroken").glob("*.png"))
    assert len(results) == 12
    for name in results:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes()
        assert read_picture(tmp_path / "out" / name).pixels.shape == (60, 80, 3)
    robustness("batches killed", KILLS)
