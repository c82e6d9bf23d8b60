"""What this machine has, and what of it does not work."""

from __future__ import annotations

import json

import pytest


def test_doctor_tells_all_the_rest_when_one_thing_is_broken(irflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFLOW_DEVICE", "nonsense")
    done = irflow("doctor", "--json")
    lines = {line["topic"]: line for line in map(json.loads, done.out.splitlines())}
    assert done.code == 1
    assert not lines["device"]["ok"]
    assert lines["memory"]["finding"]
