"""Plots show what they are given."""

from __future__ import annotations

import pytest

from irflow_cli.bench import plots
from irflow_cli.bench.metrics import Scores
from irflow_cli.bench.records import Record


def test_names_of_commands_mean_nothing_to_the_plots() -> None:
    if not plots.can_plot():
        pytest.skip("no matplotlib")
    scores = Scores(psnr=20, vif=0.5, seconds_per_mp=1.0)
    records = [
        Record("a", "input", 0, Scores()),
        Record("a", "sh -c cp $1 o_%_.png; mv $2", 0, scores),
        Record("a", "_x", 0, scores),
    ]
    [(_, svg)] = plots.plots_of(records)
    assert "cp $1 o_%_.png" in svg
    assert ">x<" in svg
