"""Whatever bytes a file holds, it is read, or refused in one line of its own: checkpoints, weights, records, masks, defaults,
lists, ranges. Seeded, so that a failure is the same one again."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from drawn import scene
from encoded import damaged
from PIL import Image

from irflow_cli.batch.journal import Manifest
from irflow_cli.batch.plan import Files, plan
from irflow_cli.bench.metrics import Scores
from irflow_cli.bench.records import Record, head_of, line_of, read_environment, read_records
from irflow_cli.cli.app import command_line
from irflow_cli.cli.config import merged_defaults
from irflow_cli.errors import IrflowError, UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.images.span import parse_range
from irflow_cli.runtime.checkpoints import load_checkpoint, read_card
from irflow_cli.runtime.config import config_files
from irflow_cli.runtime.convert import read_third_party
from irflow_cli.services.masks import MaskSettings, hole_of

TURNS = 60  # damages of each file
SECONDS = 30  # for one of them, which takes some milliseconds; a machine may be busy
MASK = np.zeros((20, 24), np.uint8)
MASK[4:9, 5:12] = 255
DEFAULTS = b'device = "cpu"\nquality = 90\n[restore]\ntile = 512\nsteps = 2\ntask = "denoise"\n[bench]\nmethods = ["irflow"]\n'


def _pth(*, zipped: bool) -> bytes:
    buffer = io.BytesIO()
    content = {"state_dict": {"init_conv.weight": torch.zeros(4, 3, 3, 3), "a.b": torch.zeros(2)}, "epoch": 3}
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def _mask() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(MASK).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def _records() -> bytes:
    record = Record("a.png", "irflow", 1, Scores(psnr=30.0), task="denoise", degrade="noise:25", notes=("dark",))
    return (head_of({"threads": "1"}) + line_of(record) * 3).encode()


def _entry(name: str) -> str:
    return json.dumps({"name": name, "key": "0" * 64, "sha256": "1" * 64}) + "\n"


COMMANDS = typer.main.get_command(command_line())


def _defaults_of(path: Path) -> object:
    return merged_defaults(COMMANDS, config_files())


def _plan_of(path: Path) -> object:
    return plan(Files((f"@{path}",), output=path.parent / "out"))


def _hole_of(path: Path) -> object:
    return hole_of(MaskSettings(mask=path), Picture(scene(20, 24), None, "PNG"), path)


Reader = Callable[[Path], object]
FILES: dict[str, tuple[str, Callable[[], bytes], tuple[Reader, ...]]] = {
    "weights, zipped": ("a.pth", lambda: _pth(zipped=True), (read_third_party,)),
    "weights, not zipped": ("a.pth", lambda: _pth(zipped=False), (read_third_party,)),
    "record of a folder": (".irflow.jsonl", lambda: (_entry("a.png") * 3).encode(), (lambda path: Manifest.of(path.parent),)),
    "results": ("a.jsonl", _records, (read_records, read_environment)),
    "mask": ("mask.png", _mask, (_hole_of,)),
    "defaults": ("irflow.toml", lambda: DEFAULTS, (_defaults_of,)),
    "list": ("list.txt", lambda: b"a.png\nsub/b.jpg\n../c.png\n*.tif\n", (_plan_of,)),
}


def _held(read: Reader, path: Path, said: list[str]) -> None:
    """Read a file; whatever is raised is irflow's own error, in one line, soon."""
    began = time.monotonic()
    try:
        read(path)
    except IrflowError as error:
        assert str(error).strip()
        assert "\n" not in str(error)
        said.append(str(error))
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.filterwarnings("ignore")
def test_bytes_of_any_kind_are_read_or_refused_in_one_line(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()  # defaults are looked for here alone
    name, made, readers = FILES[kind]
    whole, draw, said = made(), random.Random(kind), []
    for turn in range(TURNS):
        (tmp_path / name).write_bytes(damaged(whole, draw) if turn else whole)
        for read in readers:
            _held(read, tmp_path / name, said)


@pytest.mark.filterwarnings("ignore")
def test_checkpoints_of_any_bytes_are_read_or_refused_in_one_line(tiny_checkpoint: Any, tmp_path: Path) -> None:
    whole, draw, said = Path(tiny_checkpoint("derain")).read_bytes(), random.Random(0), []
    path = tmp_path / "a.safetensors"
    for _ in range(TURNS):
        path.write_bytes(damaged(whole, draw))
        for read in (read_card, load_checkpoint):
            _held(read, path, said)
    assert len(said) > TURNS  # almost every byte of one counts


def test_ranges_of_any_letters_are_read_or_refused_in_one_line() -> None:
    draw = random.Random(0)
    for _ in range(500):
        text = "".join(draw.choice("0123456789.eE+-naif .\0") for _ in range(draw.randrange(14)))
        try:
            low, high = parse_range(text) or (0.0, 1.0)
            assert low < high
        except UsageError as error:
            assert "\n" not in str(error)
