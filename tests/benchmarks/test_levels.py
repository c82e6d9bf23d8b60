"""A level that is given is told apart from the one that is found."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import levels
import pytest
from drawn import degraded, save, scene


def test_what_a_level_changes_is_told_at_worst_and_at_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = scene(48, 64)
    save(tmp_path / "pairs" / "clean" / "a.png", clean)
    save(tmp_path / "pairs" / "degraded" / "a.png", degraded(clean))
    photo = save(tmp_path / "a.png", clean)
    monkeypatch.setattr(levels, "KINDS", ("clean", "noise:25"))
    monkeypatch.setattr(levels, "LEVELS", (1, 50))
    worst = {}
    for believed in ("1", "1000"):
        monkeypatch.setattr(sys, "argv", ["levels.py", str(photo), "--pairs", str(tmp_path / "pairs"), "--believed", believed])
        levels.main()
        rows = re.findall(r"\| (\S+) \| \S+ \| (\S+) \((\d+)\) \| (\S+) \(\d+\) \|", capsys.readouterr().out)
        assert [row[0] for row in rows] == ["clean", "noise:25", "real"]
        assert all(float(low) <= float(high) for _, low, _, high in rows)
        worst[believed] = [float(low) for _, low, *_ in rows]
    assert worst["1"] == [0, 0, 0] and min(worst["1000"]) < -0.1  # nothing but what is found is believed, or anything
