"""What it gains to know where a mosaic begins is measured with and without it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import mosaic
import pytest
from drawn import degraded, save, scene


def test_where_there_is_no_mosaic_nothing_is_gained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = scene(48, 64)
    save(tmp_path / "clean" / "a.png", clean)
    save(tmp_path / "degraded" / "a.png", degraded(clean))
    monkeypatch.setattr(sys, "argv", ["mosaic.py", str(tmp_path)])
    mosaic.main()
    rows = re.findall(r"\| (\d), (\d) \| (\S+) \| (\S+) \| (\S+) \|", capsys.readouterr().out)
    assert [row[:2] for row in rows] == [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")]
    for *_, noisy, found, without in rows:
        assert found == without
        assert float(found) > float(noisy) + 3
