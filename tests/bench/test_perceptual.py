"""Metrics that come from libraries, or from networks that must be here."""

from __future__ import annotations

import importlib.util
import json
import sys

import numpy as np
import pytest
import torch
from drawn import degraded, scene

from irflow_cli.bench import metrics, perceptual
from irflow_cli.bench.metrics import METRICS, absent, left_out, measure
from irflow_cli.bench.sets import unit
from irflow_cli.extras import hint


def test_missing_backbones_say_where_they_belong_and_nothing_is_downloaded(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(perceptual, "_trouble", lambda module: "")
    there = {"torchmetrics", "torchvision", "torch_fidelity", "ssimulacra2", "flip_evaluator", "stlpips_pytorch"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in there else None)
    told = absent()
    assert set(told) == {"lpips", "dists", "fid", "kid"}
    assert all(str(tmp_path / "checkpoints") in advice for advice in told.values())
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / str(METRICS["lpips"].weights)).touch()
    assert set(absent()) == {"dists", "fid", "kid"}
    (tmp_path / "checkpoints" / metrics.INCEPTION).touch()
    assert set(absent()) == {"dists"}
    there -= {"torchvision", "torch_fidelity"}
    assert "torchvision" in absent()["lpips"]
    assert "torch-fidelity" in absent()["fid"]
    monkeypatch.setattr(perceptual, "_trouble", lambda module: "operator torchvision::nms does not exist")
    assert "torchvision::nms" in absent()["vif"]
    there.clear()
    assert set(absent()) == set(perceptual.NEEDS)
    assert absent()["vif"] == hint("metrics")
    assert "--no-deps" in absent()["st_lpips"]
    assert set(left_out(("psnr", "ssim"))) == set(METRICS) - {"psnr", "ssim", "nfe", "seconds_per_mp", "peak_mib"}


@pytest.mark.parametrize("name", ["ssimulacra2", "flip", "st_lpips"])
def test_perceptual_figures_know_the_way(name: str) -> None:
    """Equal pictures have the best value, and more noise a worse one; the smallest picture that has the metric has it."""
    pytest.importorskip(perceptual.NEEDS[name][0])
    metric, clean = METRICS[name], unit(scene(64, 80))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    assert metric.measure is not None
    values = [float(metric.measure((clean + sigma / 255 * noise).clamp(0, 1), clean)) for sigma in (0, 10, 40)]
    assert values == sorted(values, reverse=metric.higher)
    assert values[0] == pytest.approx(100 if metric.higher else 0, abs=1e-4)
    small = clean[..., : metric.smallest, : metric.smallest]
    assert np.isfinite(float(metric.measure(small, small.flip(3))))


def test_what_a_library_imports_for_nothing_is_not_asked_of_anyone() -> None:
    with perceptual._standing_in(("absent_one", "absent_one.models", "json")):
        from absent_one import embed, models  # pyright: ignore[reportMissingImports]

        assert (embed, models) == (None, sys.modules["absent_one"])
        assert sys.modules["json"] is json
    assert "absent_one" not in sys.modules


def test_a_perceptual_figure_needs_no_library() -> None:
    clean = scene(180, 180)
    found = measure(degraded(clean), clean, 0, frozenset(perceptual.NEEDS))
    assert 0.5 < found["ms_ssim"] < 1
