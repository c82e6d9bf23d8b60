"""Metrics of one picture against scikit-image on the same bytes, and what is suspicious."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from drawn import degraded, scene
from PIL import Image
from scipy.linalg import sqrtm
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from irflow_cli.bench import metrics, perceptual, run
from irflow_cli.bench.metrics import METRICS, Scores, SetMetrics, doubts, mean_of, measure, shift_of
from irflow_cli.bench.records import read_records
from irflow_cli.bench.sets import unit

BACKBONES = frozenset({"lpips", "dists", *perceptual.lacking()})  # what is not measured here: not there, or not installed


@pytest.mark.parametrize("border", [0, 4])
def test_metrics_are_those_of_the_bytes(border: int) -> None:
    clean = scene(60, 70)
    noisy = degraded(clean)
    found = measure(noisy, clean, border, BACKBONES)
    inside = (slice(border, 60 - border), slice(border, 70 - border))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255, "channel_axis": 2}
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(clean[inside], noisy[inside], data_range=255), abs=1e-4)
    assert found["ssim"] == pytest.approx(structural_similarity(clean[inside], noisy[inside], **options), abs=1e-4)
    assert "ms_ssim" not in found  # the picture is too small


def test_equal_pictures_count_as_100_dB() -> None:
    clean = scene(30, 40)
    assert measure(clean, clean, 0, BACKBONES)["psnr"] == 100


def test_a_shifted_crop_and_another_range_are_caught() -> None:
    clean = scene(80, 90)
    noisy = degraded(clean)
    assert doubts(noisy, clean, "it") == ()
    for right, down in ((1, 0), (0, -1), (3, 2)):
        moved = np.roll(noisy, (down, right), (0, 1))
        assert shift_of(moved.mean(2), clean.mean(2)) == (right, down)
        assert "moved" in doubts(moved, clean, "it")[0]
    assert "range" in doubts((noisy / 255).round().astype(np.uint8), clean, "it")[0]
    assert "range" in doubts(noisy // 4, clean, "it")[0]


class Features(torch.nn.Module):
    """Stands for the Inception network: the mean and the deviation of each channel."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        values = pixels.float().flatten(2) / 255
        return torch.cat([values.mean(2), values.std(2)], dim=1)


def test_sets_are_as_far_apart_as_their_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "inception", Features)
    sets, count = SetMetrics(frozenset({"lpips"})), 12
    features = []
    for seed in range(count):
        clean = scene(40, 48, seed)
        sets.add("same", "", clean, clean)
        sets.add("other", "", degraded(clean, seed), clean)
        features.append([Features()(unit(one) * 255)[0].double().numpy() for one in (degraded(clean, seed), clean)])
    same, other = sets.of("same", count), sets.of("other", count)
    assert same == {"fid": pytest.approx(0, abs=1e-3), "kid": pytest.approx(0, abs=0.02)}
    one, two = np.array(features).transpose(1, 0, 2)
    root = sqrtm(np.cov(one.T) @ np.cov(two.T))
    expected = ((one.mean(0) - two.mean(0)) ** 2).sum() + np.trace(np.cov(one.T) + np.cov(two.T) - 2 * root.real)
    assert other["fid"] == pytest.approx(expected, rel=1e-3)
    assert other["kid"] > same["kid"]
    for index in range(count):
        sets.add("part", "", scene(40, 48, index), scene(40, 48, index))
    assert sets.of("part", count + 1) is None
    sets.add("few", "", clean, clean)
    assert sets.of("few", 1) == {}


def test_means_are_over_all_or_none() -> None:
    mean = mean_of([Scores(psnr=20), Scores(psnr=30, vif=0.5, fid=4)])
    assert (mean.psnr, mean.fid) == (25, 4)  # a metric of the set stands with one picture
    assert np.isnan(mean.vif)
    assert np.isnan(mean.lpips)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda pixels: pixels // 2, "contrast"),
        (lambda pixels: (pixels * (219 / 255) + 16).astype(np.uint8), "contrast"),
        (lambda pixels: 255 - pixels // 2, "negative"),
        (lambda pixels: pixels[..., ::-1], "channels in another order"),
        (lambda pixels: pixels[:, ::-1], "mirrored"),
        (lambda pixels: pixels[::-1], "turned over"),
        (lambda pixels: np.roll(pixels, 3, 1), "moved"),
    ],
)
def test_faults_of_programs_are_told(change: Callable[[np.ndarray], np.ndarray], told: str) -> None:
    clean = scene(96, 120, 4)
    clean[..., 2] //= 2
    assert doubts(clean, clean, "it") == ()
    assert doubts(degraded(clean, 1), clean, "it") == ()
    assert any(told in doubt for doubt in doubts(np.ascontiguousarray(change(clean)), clean, "it"))


class Means(torch.nn.Module):
    """Stands for the Inception network."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float().mean((2, 3))


def test_metrics_of_sets_stand_with_their_last_picture(tmp_path, bench, monkeypatch) -> None:
    for seed in range(metrics.LEAST):
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.fromarray(scene(24, 24, seed)).save(tmp_path / "set" / f"{seed}.png")
    monkeypatch.setattr(metrics, "inception", Means)
    monkeypatch.setattr(metrics, "absent", lambda: {})
    monkeypatch.setattr(run, "measure", lambda *rest: {"psnr": 20.0})
    monkeypatch.setattr(run, "due", lambda *rest: {"psnr": METRICS["psnr"]})
    done = bench(tmp_path / "set", "--degrade", "rain:0.5,rain:1", "--report", tmp_path / "out")
    header, _, *body = [line.split(" | ") for line in done.out.splitlines() if line.startswith("|")]
    assert len(body) == 4
    assert all(float(cells[header.index("FID")]) > 0 for cells in body)
    stored = read_records(tmp_path / "out" / "results.jsonl")
    assert {record.picture for record in stored if record.scores.fid == record.scores.fid} == {stored[-1].picture}
    whole = (tmp_path / "out" / "results.jsonl").read_text()
    for lines_left in (-1, -9, None):  # a run that was broken off goes on with the features of what it has
        (tmp_path / "out" / "results.jsonl").write_text("".join(whole.splitlines(True)[:lines_left]))
        assert bench(tmp_path / "set", "--degrade", "rain:0.5,rain:1", "--report", tmp_path / "out").code == 0
        again = read_records(tmp_path / "out" / "results.jsonl")
        assert [(record.scores.fid, record.scores.kid) for record in again[-4:]] == [
            (record.scores.fid, record.scores.kid) for record in stored[-4:]
        ]
        assert {record.picture for record in again if record.scores.fid == record.scores.fid} == {again[-1].picture}
    next((tmp_path / "out" / "results.features").iterdir()).unlink()
    again = bench(tmp_path / "set", "--degrade", "rain:0.5,rain:1", "--report", tmp_path / "out")
    assert "FID and KID need the whole set" in again.err


@pytest.mark.parametrize("level", [3, 128, 252])
@pytest.mark.parametrize("seed", range(5))
def test_plain_pictures_raise_no_doubts(level: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    clean = np.clip(level + draw.normal(0, 2, (64, 64, 3)), 0, 255).astype(np.uint8)
    noisy = np.clip(clean + draw.normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
    assert doubts(noisy, clean, "input") == ()
