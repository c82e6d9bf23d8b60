"""What this machine has, and what of it does not work."""

from __future__ import annotations

import json
import re
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace

import pytest

from irflow_cli.engines.backends.choice import Trial
from irflow_cli.engines.backends.table import BACKENDS
from irflow_cli.extras import hint
from irflow_cli.services import doctor


def test_doctor_tells_all_the_rest_when_one_thing_is_broken(irflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFLOW_DEVICE", "nonsense")
    done = irflow("doctor", "--json")
    lines = {line["topic"]: line for line in map(json.loads, done.out.splitlines())}
    assert done.code == 1
    assert not lines["device"]["ok"]
    assert "unknown --device 'nonsense'" in lines["device"]["finding"]
    assert "unknown --device 'nonsense'" in lines["speed"]["finding"]  # what is timed is the device that commands use
    assert lines["memory"]["finding"]


def test_doctor_takes_an_empty_variable_for_none(irflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFLOW_DEVICE", "")
    lines = {line["topic"]: line for line in map(json.loads, irflow("doctor", "--json").out.splitlines())}
    assert lines["device"]["ok"] and lines["speed"]["ok"]


def test_doctor_knows_every_extra_and_what_it_brings() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    table = re.search(r"\[project.optional-dependencies\]\n(.*?)\n\n", text, re.DOTALL)
    assert table is not None
    brought = dict(re.findall(r"^(\w+) = \[(.*?)\]$", table[1], re.MULTILINE | re.DOTALL))
    distributions = packages_distributions()
    assert set(doctor.EXTRAS) == set(brought) - {"test", "docs", "dev"}  # these are for who works on irflow
    for name, (_, modules) in doctor.EXTRAS.items():
        packages = [package for package in re.findall(r'"([\w-]+)', brought[name]) if package != "irflow"]
        assert len(packages) == len(modules), name
        for package, module in zip(packages, modules, strict=True):
            installed = distributions.get(module)
            assert installed is None or package.lower() in [one.lower().replace("_", "-") for one in installed], name


def test_doctor_names_what_an_extra_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else object())
    told = {finding.text for finding in doctor.examine(timed=False) if finding.topic == "extra"}
    assert f"serve: `irflow serve`, the page in the browser; without uvicorn; {hint('serve')}" in told
    assert "remote: there" in told


def test_doctor_tells_of_a_cache_that_takes_no_files(irflow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_timed_tile", lambda device: doctor.Finding("speed", ""))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path / "file"))
    done = irflow("doctor", "--json")
    lines = [line for line in map(json.loads, done.out.splitlines()) if line["topic"] == "cache"]
    assert (done.code, [line["ok"] for line in lines]) == (1, [False, False])
    assert "takes no files" in lines[0]["finding"]


def test_doctor_tells_of_a_disk_without_room_for_the_cache(irflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_timed_tile", lambda device: doctor.Finding("speed", ""))
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=2**20))
    done = irflow("doctor", "--json")
    lines = [line for line in map(json.loads, done.out.splitlines()) if line["topic"] == "cache"]
    assert (done.code, [line["ok"] for line in lines]) == (1, [False, False])
    assert lines[0]["finding"].endswith("0.0 GiB free, too little for what is kept there")


def test_doctor_says_why_an_engine_or_a_precision_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in BACKENDS.values():
        monkeypatch.setitem(backend.__dict__, "has", lambda precision: precision not in ("bf16", "int8"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxruntime" else object())
    told = [finding.text for finding in doctor._engines()]
    assert told == [
        "torch bf16: finds no instructions for bf16 in this processor",
        "openvino bf16: finds no instructions for bf16 in this processor",
        "openvino int8: finds no instructions for int8 in this processor",
        f"onnxruntime: is not installed; {hint('onnx')}",
    ]


def test_doctor_calls_fastest_what_may_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [Trial("openvino", "int8", 0.1), Trial("openvino", "bf16", 0.2), Trial("torch", "fp32", 0.3)]
    monkeypatch.setattr(doctor, "_timings", lambda: [("derain", trials)])
    monkeypatch.setattr(doctor, "wanted", lambda *asked: [("openvino", "bf16"), ("torch", "fp32")])  # of any processor
    told = doctor._engines()[-1].text
    assert told == "derain: openvino int8: 0.10 s/MP; openvino bf16: 0.20 s/MP (auto takes it); torch fp32: 0.30 s/MP"
