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
    assert draw_curves(tmp_path) == tmp_path / CURVES  # once more, over its own
    Image.new("RGB", (8, 8)).save(tmp_path / CURVES)
    theirs = (tmp_path / CURVES).read_bytes()
    with pytest.raises(UsageError, match="move it"):
        draw_curves(tmp_path)
    assert (tmp_path / CURVES).read_bytes() == theirs


LINE = json.dumps({"iteration": 1, "loss": 0.5, "psnr": None, "rate": 9.0})


@pytest.mark.parametrize("torn", [LINE[:20], LINE[:-1], "\0" * 40, "[" * 10**5, "{}"])
def test_a_last_line_that_was_cut_off_is_passed_over(torn: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / LOG).write_text(f"{LINE}\n{LINE}\n{torn}")
    assert draw_curves(tmp_path).exists()
    for other in (torn, f"{torn}\n{LINE}", f"{LINE}\n{torn}\n{LINE}"):
        (tmp_path / LOG).write_text(other)
        with pytest.raises(UsageError, match=r"holds no log of a run \(line \d: .*give the folder"):
            draw_curves(tmp_path)
