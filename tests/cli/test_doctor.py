"""`irflow doctor`: a line for each finding, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

from irflow_cli.services import doctor


def test_doctor_reports_and_fails_when_something_is_broken(irflow, tmp_path: Path, monkeypatch) -> None:
    lines = [json.loads(line) for line in irflow("doctor", "--json").out.splitlines()]
    topics = {line["topic"] for line in lines}
    assert {"irflow", "opencv", "device", "memory", "cache", "checkpoint", "extra", "speed"} <= topics
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "bad.safetensors").write_text("nothing")
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(doctor, "_timed_tile", lambda device: doctor.Finding("speed", ""))  # once is enough
    done = irflow("doctor")
    assert done.code == 1
    assert "does not work" in done.out
