"""The curves of a run are drawn from its log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.training.curves import CURVES, draw_curves
from irflow_cli.training.record import LOG


def test_curves_are_drawn_from_the_log(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no log"):
        draw_curves(tmp_path)
    (tmp_path / LOG).write_text("")
    with pytest.raises(UsageError, match="empty yet"):
        draw_curves(tmp_path)
    pytest.importorskip("matplotlib")
    lines = [{"iteration": i, "loss": 1 / (1 + i), "psnr": 20 + i if i % 2 else None, "rate": 9.0} for i in range(6)]
    (tmp_path / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert draw_curves(tmp_path) == tmp_path / CURVES
    with Image.open(tmp_path / CURVES) as drawn:
        assert drawn.size == (840, 960)
        assert len(drawn.getcolors(2**20)) > 2
