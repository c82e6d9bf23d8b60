"""What is packed for a machine that is lent for minutes, and what comes back from it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from drawn import scene
from PIL import Image

from irflow_cli.errors import NothingToDo
from irflow_cli.runtime.checkpoints import read_card

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu"
BACK = 8  # files that come back from such a machine at most


def script(name: str) -> ModuleType:
    """Return a script of benchmarks/gpu, none of whose names is taken from other modules."""
    spec = importlib.util.spec_from_file_location(f"gpu_{name}", SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of two photographs of one name but for the ending."""
    (tmp_path / "photos" / "a").mkdir(parents=True)
    for name in ("x.png", "x.bmp"):
        Image.fromarray(scene(90, 120, len(name))).save(tmp_path / "photos" / "a" / name)
    return tmp_path / "photos"


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    """Return a folder of one rain layer."""
    (tmp_path / "layers").mkdir()
    Image.fromarray(scene(60, 60)[..., 0]).save(tmp_path / "layers" / "1.png")
    return tmp_path / "layers"


@pytest.mark.parametrize("most", [None, 2000])
def test_all_photographs_travel_and_no_more_than_may(most: int | None, photos: Path, layers: Path, tmp_path: Path) -> None:
    pack = script("pack")
    pack.pack(photos, layers, tmp_path / "pack", most, [])
    packed = [path for path in (tmp_path / "pack" / "photos").rglob("*") if path.is_file()]
    assert len(packed) == 2 and (tmp_path / "pack" / "layers" / "1.png").is_file()
    assert pack.size_of(tmp_path / "pack") + pack.checkout() < pack.TRAVELS
    if most is None:
        assert sorted(path.name for path in packed) == ["x.bmp", "x.png"]


def test_a_pack_without_rain_layers_is_refused(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(NothingToDo, match="no rain layers"):
        script("pack").pack(photos, tmp_path / "none", tmp_path / "pack", None, [])
    assert not (tmp_path / "pack").exists()


def test_few_files_come_back_and_the_logs_of_all_runs_in_one(tmp_path: Path) -> None:
    train = script("train")
    day = train.Day(tmp_path / "out", 1.0)
    day.say("begun")
    (day.out / "facts.json").write_text("{}")
    for number, network in enumerate(train.PLAN):
        run = tmp_path / network.task
        run.mkdir()
        (run / "last.safetensors").write_bytes(b"weights")
        first = {"iteration": 1, "rate": 2.0, "loss": 0.5, "psnr": 30.0 + number}
        lines = [first, {**first, "iteration": 2, "loss": 0.4, "psnr": None}]
        (run / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"iteration": 3, "ra')
        train.bring(day, network, run)
        assert train.standing(run) == f"iteration 2, 2 pictures/s, loss 0.400, held out {30 + number:.2f} dB"
    assert train.standing(tmp_path / "none") == "starting"
    assert len(list(day.out.iterdir())) <= BACK
    found = [json.loads(line) for line in (day.out / "runs.jsonl").read_text().splitlines()]
    assert [(line["task"], line["iteration"]) for line in found] == [(one.task, at) for one in train.PLAN for at in (1, 2)]


def test_a_day_on_a_processor_checks_trains_and_brings_all_back(photos: Path, layers: Path, tmp_path: Path) -> None:
    script("pack").pack(photos, layers, tmp_path / "pack", None, [])
    day = ["--device", "cpu", "--tiny", "--only", "deraindrop", "--first", "--minutes", "0.75", "--stop-seconds", "2"]
    out, places = tmp_path / "out", ["--out", tmp_path / "out", "--work", tmp_path / "work"]
    command = [sys.executable, SCRIPTS / "train.py", tmp_path / "pack", *places, *day]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-2000:]
    told = (out / "train.log").read_text()
    assert read_card(out / "deraindrop.safetensors").task == "deraindrop", told
    assert any(json.loads(line)["psnr"] for line in (out / "runs.jsonl").read_text().splitlines()), told
    facts = json.loads((out / "facts.json").read_text())
    assert facts["deraindrop:base, device in bf16 beside the CPU in fp32"].startswith("agrees"), facts
    assert "ended with code" not in told
