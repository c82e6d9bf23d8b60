"""Metrics against scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn import scene
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from irflow_cli import metrics


def pair() -> tuple[np.ndarray, np.ndarray]:
    clean = scene(60, 70) / 255
    return clean, (clean + 0.05 * np.random.default_rng(1).standard_normal(clean.shape)).clip(0, 1)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).permute(2, 0, 1)[None]


def test_psnr_agrees() -> None:
    clean, noisy = pair()
    ours = float(metrics.psnr(tensor(noisy), tensor(clean)))
    assert ours == pytest.approx(peak_signal_noise_ratio(clean, noisy, data_range=1), abs=1e-4)


def test_ssim_agrees() -> None:
    clean, noisy = pair()
    theirs = structural_similarity(
        clean,
        noisy,
        data_range=1,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        win_size=11,
    )
    assert float(metrics.ssim(tensor(noisy), tensor(clean))) == pytest.approx(theirs, abs=1e-4)


def test_luma_is_the_one_of_the_deraining_papers() -> None:
    white, black = torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)
    assert float(metrics.luma(white) * 255) == pytest.approx(235, abs=1e-3)
    assert float(metrics.luma(black) * 255) == pytest.approx(16, abs=1e-3)


def test_metrics_of_luma_agree_with_those_of_scikit_image() -> None:
    clean, noisy = pair()
    ours, theirs = (rgb2ycbcr(picture)[..., 0] for picture in (noisy, clean))
    assert float(metrics.psnr_y(tensor(noisy), tensor(clean))) == pytest.approx(
        peak_signal_noise_ratio(theirs, ours, data_range=255), abs=1e-4
    )
    expected = structural_similarity(
        theirs, ours, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, win_size=11
    )
    assert float(metrics.ssim_y(tensor(noisy), tensor(clean))) == pytest.approx(expected, abs=1e-4)


def test_equal_pictures_are_perfect_and_a_shift_is_seen() -> None:
    picture = tensor(scene(40, 40) / 255)
    assert float(metrics.psnr(picture, picture)) == float("inf")
    assert float(metrics.ssim_y(picture, picture)) == pytest.approx(1)
    assert float(metrics.psnr_y(picture.roll(1, 3), picture)) < 30
    assert float(metrics.ssim(picture.roll(1, 3), picture)) < 0.9


def test_ms_ssim_agrees_with_torchmetrics() -> None:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    clean = tensor(scene(192, 208) / 255).float()
    noisy = (clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    theirs = float(multiscale_structural_similarity_index_measure(noisy, clean, data_range=1.0))
    # Not closer: at the coarsest scale theirs counts windows that reach over the edge as well.
    assert float(metrics.ms_ssim(noisy, clean)) == pytest.approx(theirs, abs=5e-4)
    assert float(metrics.ms_ssim(clean, clean)) == pytest.approx(1)
    with pytest.raises(ValueError, match="176"):
        metrics.ms_ssim(clean[..., :175], noisy[..., :175])
