"""What lower precisions cost, as docs/engines.md has it."""

from __future__ import annotations

import numpy as np
import precisions
import pytest

from irflow_cli.bench.methods import Result
from irflow_cli.metrics import psnr

ENGINES = (("torch", "fp32"), ("torch", "bf16"))
SET = precisions.TestSet("set", "Tiny", "derain", None, psnr)


def test_a_row_says_by_how_much_an_engine_is_off(pairs, tmp_path, monkeypatch) -> None:
    offs = {"fp32": 0.0, "bf16": 8.0}

    class Off:
        def __init__(self, precision: str) -> None:
            self.off = 8 + offs[precision]

        def run(self, pixels: np.ndarray) -> Result:
            return Result((pixels + self.off).clip(0, 255).astype(np.uint8), 0, 0)

    monkeypatch.setattr(precisions, "method", lambda one, engine, precision: Off(precision))
    monkeypatch.setattr(precisions, "cases", lambda data, one: [case() for _ in range(3)])
    head, _, row = precisions.table(tmp_path, (SET,), ENGINES)
    assert "| torch fp32 | torch bf16 |" in head
    assert row == f"| Tiny, 3 pictures | {20 * np.log10(255 / 8):.2f} | {-20 * np.log10(2):+.3f} |"


def case() -> precisions.Case:
    """Return a grey picture whose degraded partner is itself."""
    grey = np.full((16, 16, 3), 100, np.uint8)
    return precisions.Case("one", "", grey, grey)


def test_what_this_machine_has_not_is_a_dash(pairs, tmp_path, capsys) -> None:
    _, _, row = precisions.table(tmp_path, (SET,), (*ENGINES[:1], ("torch", "int8")))
    assert row.endswith(" | - |")
    assert "set: torch int8 is left out" in capsys.readouterr().out


def test_a_set_that_is_not_there_is_left_out(tmp_path, capsys) -> None:
    assert len(list(precisions.table(tmp_path))) == 2
    assert "rain100l; it is left out" in capsys.readouterr().out


@pytest.mark.parametrize("one", precisions.SETS)
def test_every_set_can_be_degraded_as_asked(one: precisions.TestSet) -> None:
    assert len(precisions.parse_degrade(one.degrade, one.task)) == (one.degrade is not None)


@pytest.mark.parametrize("task, degrade", [("derain", None), ("inpaint", "thin"), ("upscale", "area:2")])
def test_every_task_is_measured_by_itself(pairs, task: str, degrade: str | None) -> None:
    folder = pairs if degrade is None else pairs / "clean"
    one = precisions.TestSet(folder.name, task, task, degrade, psnr, None if degrade is None else 32)
    found = precisions.scores(folder.parent, one, ENGINES[:1])
    assert [len(values) for values in found.values()] == [2] and np.isfinite(list(found.values())).all()
