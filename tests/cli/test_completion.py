"""What the shell offers for a word is what the tables hold."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pytest

from irflow_cli.batch.plan import SPELLINGS
from irflow_cli.cli.bench import bench
from irflow_cli.cli.degrade import degrade
from irflow_cli.cli.inpaint import inpaint
from irflow_cli.cli.options import checkpoints
from irflow_cli.cli.restore import restore
from irflow_cli.cli.train import train
from irflow_cli.cli.upscale import upscale
from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.engines.settings import ENLARGING, FILLING, RELEASED_RULE, offered
from irflow_cli.flow.losses import DISTANCES
from irflow_cli.flow.observations import OPERATORS
from irflow_cli.flow.samplers import SAMPLERS
from irflow_cli.flow.times import GRIDS
from irflow_cli.images.formats import FORMATS, METADATA
from irflow_cli.nets import SIZES
from irflow_cli.tasks import RESTORED, TASKS


def hints(command: Any) -> dict[str, Any]:
    return inspect.get_annotations(command, eval_str=True)


def completions(command: Any, option: str, word: str = "") -> list[str]:
    (said,) = [entry for entry in get_args(hints(command)[option]) if hasattr(entry, "autocompletion")]
    return said.autocompletion(word)


@pytest.mark.parametrize(
    ("command", "option", "table"),
    [
        (restore, "task", RESTORED),
        (restore, "grid", GRIDS),
        (restore, "sampler", (*SAMPLERS, RELEASED_RULE)),
        (restore, "method", ("flow", "prior")),
        (restore, "metadata", METADATA),
        (upscale, "preset", ENLARGING),
        (inpaint, "preset", FILLING),
        (upscale, "sampler", offered()),
        (upscale, "operator", OPERATORS),
        (degrade, "kind", DEGRADATIONS),
        (train, "task", TASKS),
        (bench, "task", (*RESTORED, "inpaint", "upscale")),
        (train, "size", SIZES),
        (train, "distance", DISTANCES),
        (train, "optimiser", ("muon", "adamw")),
    ],
)
def test_a_table_is_offered(command: Any, option: str, table: Iterable[str]) -> None:
    assert sorted(completions(command, option)) == sorted(table)


def test_every_format_is_offered_once() -> None:
    assert sorted(SPELLINGS[name] for name in completions(restore, "format")) == sorted(FORMATS)


def test_the_shell_gets_what_begins_like_its_word() -> None:
    asked = {"_IRFLOW_COMPLETE": "complete_bash", "COMP_WORDS": "irflow restore --task dera", "COMP_CWORD": "3"}
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'irflow'; from irflow_cli.cli.app import main; main()"]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["derain", "deraindrop"]


@pytest.mark.parametrize(("command", "option"), [(restore, "checkpoint"), (upscale, "checkpoint"), (train, "init")])
def test_checkpoints_are_offered_by_name_and_file(command: Any, option: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache" / "checkpoints").mkdir(parents=True)
    for file in ("cache/checkpoints/denim.safetensors", "denoise-mine.safetensors", "dentist.jpg"):
        (tmp_path / file).touch()
    (tmp_path / "dens").mkdir()
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path / "cache"))
    assert {"derain", "denoise", "prior", "denim"} <= set(completions(command, option))
    assert completions(command, option, "den") == ["denoise", "denim", "denoise-mine.safetensors", "dens/"]


def test_nothing_that_is_offered_costs_a_torch() -> None:
    asked = "from irflow_cli.cli.options import checkpoints; import sys; checkpoints('de'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


@pytest.mark.parametrize("command", [restore, inpaint, upscale, degrade, train, bench])
def test_choices_that_are_offered_are_shown(command: Any) -> None:
    for said in (entry for hint in hints(command).values() for entry in get_args(hint)):
        values = completing("") if (completing := getattr(said, "autocompletion", None)) not in (None, checkpoints) else []
        assert all(value in f"{said.metavar} {said.help}" for value in values), said.help
