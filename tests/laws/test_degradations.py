"""What every degradation must keep."""

from __future__ import annotations

import pytest
import torch
from drawn import scene

from irflow_cli.degradations import DEGRADATIONS, degrade
from irflow_cli.degradations.estimate import estimate_sigma
from irflow_cli.degradations.rain import from_layers
from irflow_cli.degradations.shrink import SHRINKS
from irflow_cli.flow.observations import OPERATORS


def clean(count: int = 2, height: int = 96, width: int = 80, channels: int = 3) -> torch.Tensor:
    pictures = [torch.from_numpy(scene(height, width, seed)).permute(2, 0, 1) / 255 for seed in range(count)]
    return torch.stack(pictures)[:, :channels]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_severity_zero_is_the_identity(kind: str) -> None:
    assert torch.equal(degrade(clean(), kind, 0, generator=seeded()), clean())


@pytest.mark.parametrize("kind", DEGRADATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_same_generator_same_result_and_the_input_is_left_alone(kind: str, channels: int) -> None:
    picture, usual = clean(channels=channels), DEGRADATIONS[kind].usual
    before = picture.clone()
    first = degrade(picture, kind, usual, generator=seeded())
    assert first.shape == picture.shape
    assert bool(first.isfinite().all())
    assert torch.equal(first, degrade(picture, kind, usual, generator=seeded()))
    assert torch.equal(picture, before)
    if kind != "jpeg":
        assert not torch.equal(first, degrade(picture, kind, usual, generator=seeded(1)))


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_more_severity_means_more_damage(kind: str) -> None:
    entry, picture = DEGRADATIONS[kind], clean(6)
    errors = [
        float((degrade(picture, kind, share * entry.largest, generator=seeded()) - picture).abs().mean())
        for share in (0.1, 0.5, 1.0)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("kind", DEGRADATIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 5)])
def test_small_pictures_work(kind: str, size: tuple[int, int]) -> None:
    picture = torch.rand((1, 3, *size), generator=seeded())
    assert degrade(picture, kind, DEGRADATIONS[kind].usual, generator=seeded()).shape == picture.shape


@pytest.mark.parametrize("kind", ["noise", "poisson", "camera"])
@pytest.mark.parametrize("sigma", [5, 25, 50])
def test_noise_has_the_asked_deviation_in_the_middle_grey(kind: str, sigma: float) -> None:
    grey = torch.full((1, 3, 200, 200), 0.5)
    measured = 255 * float((degrade(grey, kind, sigma, generator=seeded()) - grey).std())
    assert measured == pytest.approx(sigma, rel=0.02)


def test_a_camera_s_noise_is_coarse_in_colour_alone() -> None:
    def likeness(channels: int) -> float:
        grey = torch.full((1, channels, 200, 200), 0.5)
        noise = degrade(grey, "camera", 25, generator=seeded()) - grey
        return float((noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean())

    assert likeness(3) == pytest.approx(0.55, abs=0.1)  # of red and blue 2/3, of green 0.4
    assert likeness(1) == pytest.approx(0, abs=0.02)


def test_rain_only_adds_light_where_there_is_no_haze() -> None:
    layers = torch.rand((2, 1, 64, 64), generator=seeded()) * 0.5
    rainy = from_layers(clean(), torch.ones(2), seeded(), layers)
    assert bool((rainy >= clean() - 1e-6).all())
    assert float(rainy.max()) <= 1


@pytest.mark.parametrize(("kind", "severity"), [("noise", 76), ("rain", -0.1), ("jpeg", 100)])
def test_severity_out_of_range_is_refused(kind: str, severity: float) -> None:
    with pytest.raises(ValueError, match="severity"):
        degrade(clean(), kind, severity, generator=seeded())


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_was_made_smaller_is_what_upscaling_sees(kind: str, scale: int) -> None:
    height, width = 48 // scale * scale, 60 // scale * scale
    picture = clean(1, height, width)
    small = SHRINKS[kind](picture, scale)
    assert small.shape == (1, 3, height // scale, width // scale)
    seen = OPERATORS[kind](small, scale)
    assert torch.allclose(seen.project(picture), seen.picture, atol=1e-6)
    assert SHRINKS.keys() == OPERATORS.keys()


def test_what_is_left_of_a_block_is_cut_off() -> None:
    assert all(shrink(clean(1, 49, 61), 4).shape == (1, 3, 12, 15) for shrink in SHRINKS.values())


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
def test_noise_is_estimated_within_a_tenth(sigma: float) -> None:
    noisy = degrade(clean(1, 160, 200) * 0.6 + 0.2, "noise", sigma, generator=seeded())
    eight_bit = (noisy.clamp(0, 1) * 255).round() / 255
    assert 255 * estimate_sigma(eight_bit) == pytest.approx(sigma, rel=0.1, abs=0.5)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 3), (9, 9)])
def test_the_estimate_works_on_small_pictures(size: tuple[int, int]) -> None:
    assert estimate_sigma(torch.rand((1, 3, *size), generator=seeded())) >= 0
