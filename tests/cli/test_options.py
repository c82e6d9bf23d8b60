"""Defaults have one home: the record that an option fills."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from irflow_cli.batch.plan import Files
from irflow_cli.bench.request import BenchRequest, Sweep
from irflow_cli.cli.app import command_line
from irflow_cli.cli.flags import ALIASES
from irflow_cli.engines.settings import RestoreSettings, SamplerSettings
from irflow_cli.images.formats import Coding
from irflow_cli.services.inpaint_files import InpaintRequest
from irflow_cli.services.masks import MaskSettings
from irflow_cli.services.upscale_files import UpscaleRequest
from irflow_cli.training.options import TrainRequest

FILES = Files(("a.png",))
RECORDS: dict[str, tuple[Any, ...]] = {
    "restore": (RestoreSettings("derain"), FILES, Coding()),
    "inpaint": (SamplerSettings(), MaskSettings(), InpaintRequest(FILES, MaskSettings()), FILES, Coding()),
    "upscale": (SamplerSettings(), UpscaleRequest(FILES), FILES, Coding()),
    "train": (TrainRequest(Path(), Path(), "derain"),),
    "bench": (BenchRequest(Path(), RestoreSettings("derain")), Sweep()),
}
# Read here, as the records are, before a fixture sets a variable that is a default.
COMMANDS = typer.main.get_command(command_line()).commands  # type: ignore[attr-defined]
# What is typed otherwise than it is kept: a word for None or for no number, or several values in one.
TYPED = {"auto": None, (): None}


@pytest.mark.parametrize("name", RECORDS)
def test_an_option_has_the_default_of_its_record(name: str) -> None:
    options = {parameter.name: parameter for parameter in COMMANDS[name].params}
    compared = 0
    for record in RECORDS[name]:
        for field in dataclasses.fields(record):
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                continue
            option = options.get(ALIASES.get(field.name, field.name))
            if option is None or option.required or getattr(option, "param_type_name", "") == "argument":
                continue
            own, given = getattr(record, field.name), option.default
            text = (
                ",".join(f"{value:g}" if isinstance(value, float) else str(value) for value in own)
                if own and isinstance(own, tuple)
                else own
            )
            assert given in (own, text) or TYPED.get(given, given) == TYPED.get(own, own), field.name
            compared += 1
    assert compared >= 4


def test_records_are_read_without_torch() -> None:
    code = "import sys, irflow_cli.cli.app; print([name for name in ('torch', 'cv2', 'PIL') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_slash_at_the_end_of_an_output_means_a_folder(irflow, tmp_path: Path, picture_file) -> None:
    source = picture_file("in.png")
    done = irflow("degrade", source, "-o", f"{tmp_path}/out.png/", "--kind", "noise")
    assert done.code == 2
    assert "ends as a folder" in done.err
    assert not (tmp_path / "out.png").exists()
    (tmp_path / "out.png").mkdir()
    assert irflow("degrade", source, "-o", f"{tmp_path}/out.png/", "--kind", "noise").code == 0
    assert irflow("degrade", source, "-o", f"{tmp_path}/new/", "--kind", "noise").code == 0
    assert (tmp_path / "out.png" / "in.png").exists()
    assert (tmp_path / "new" / "in.png").exists()
