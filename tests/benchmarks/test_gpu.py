"""What is packed for a machine that is lent for minutes, and what comes back from it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import ship
from drawn import scene
from PIL import Image

from irflow_cli.errors import NothingToDo
from irflow_cli.runtime.checkpoints import read_card
from irflow_cli.runtime.places import shipped_folder

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
    (tmp_path / "photos" / "cq100").mkdir(parents=True)
    for name in ("x.png", "x.bmp"):
        Image.fromarray(scene(90, 120, len(name))).save(tmp_path / "photos" / "cq100" / name)
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


def test_a_day_on_a_processor_checks_trains_brings_all_back_and_ships(
    photos: Path, layers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script("pack").pack(photos, layers, tmp_path / "pack", None, [])
    day = ["--device", "cpu", "--tiny", "--only", "deraindrop", "--first", "--minutes", "0.5", "--stop-seconds", "2"]
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
    assert facts["deraindrop:base, batch and crop"] == [2, 32]
    parent = shipped_folder() / "deraindrop.safetensors"
    monkeypatch.setattr(ship, "WEIGHTS", tmp_path)
    ship.ship("deraindrop", str(out / "deraindrop.safetensors"), photos, parent, None)
    card = read_card(tmp_path / "deraindrop.safetensors")
    assert card.trained["sources"] == ship.BEFORE  # those of what it began as
    assert (card.spec.confidence, card.trained["recipe"]["self_conditioned"]) == (False, True)


def test_the_next_rung_goes_on_with_what_the_last_one_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, begun = script("train"), []
    parser = argparse.Namespace(stop_seconds=0.0, compile_seconds=0.0, start_seconds=0.0, batch=0, crop=0, size="", fresh=True)
    given = argparse.Namespace(**vars(parser), work=tmp_path, validate_every=1, device="cpu")

    def watch(day: object, network: object, command: list[str], run: Path, end: float) -> int:
        begun.append(Path(command[command.index("--init") + 1]) if "--init" in command else None)
        run.mkdir()
        if len(begun) == 2:
            (run / "last.safetensors").write_bytes(b"weights")
        return 0 if len(begun) == 4 else 1

    monkeypatch.setattr(train, "watch", watch)
    train.train(train.Day(tmp_path / "out", 10.0), tmp_path, train.PLAN[0], given)
    kept = tmp_path / "prior-1" / "last.safetensors"
    assert begun == [None, None, kept, kept]
