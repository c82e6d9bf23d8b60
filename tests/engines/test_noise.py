"""What is found of a picture's noise, and what a network is given of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from observed import CLEAN, SHAPE
from skimage import data

from irflow_cli.engines.noise import PLACE, Noise, level_of, noise_entry, noise_of, places_of, released_entry, said_of
from irflow_cli.engines.restorer import BELIEVED, Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.images.picture import Picture


def seen(sigma: float, dark: float | None = None, light: float | None = None) -> Noise:
    return Noise(sigma, sigma if dark is None else dark, sigma if light is None else light)


def test_noise_is_measured_in_all_and_in_both_halves() -> None:
    generator = torch.Generator().manual_seed(0)
    clean = torch.cat([torch.full((1, 3, 64, 32), 0.2), torch.full((1, 3, 64, 32), 0.8)], 3)
    strength = torch.where(clean < 0.5, 6.0, 2.0) / 255
    found = Noise.of(clean + strength * torch.randn(clean.shape, generator=generator), clean)
    assert found.dark == pytest.approx(6, rel=0.03)
    assert found.light == pytest.approx(2, rel=0.03)
    assert found.sigma == pytest.approx(20**0.5, rel=0.03)


@pytest.mark.parametrize("sigma", [5.0, 15.0, 25.0, 50.0])
def test_an_estimate_of_white_noise_is_kept(sigma: float) -> None:
    assert level_of(sigma, seen(1.02 * sigma)) == sigma


def test_what_the_estimate_misses_is_told_by_what_the_network_saw() -> None:
    assert level_of(0.3, seen(0.5)) == 0.3  # a clean picture
    assert 5 < level_of(0.3, seen(3)) <= 7.5  # a camera's, stored as JPEG
    levels = [level_of(0.3, seen(sigma)) for sigma in np.linspace(0, 20, 50)]
    assert levels == sorted(levels)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (seen(0.3), "hardly any noise"),
        (seen(8.2), "noise of about sigma 8"),
        (seen(8, 10, 6), "sigma 8, more in the shadows"),
        (seen(8, 6, 10), "sigma 8, more in the bright parts"),
        (seen(1.0), "a little noise, about sigma 1.0"),
    ],
)
def test_what_was_found_is_said_in_words(found: Noise, words: str) -> None:
    assert words in said_of(found)


@pytest.mark.parametrize("size", [(1, 1), (40, 300), (255, 256), (256, 256), (900, 700)])
@pytest.mark.parametrize("channels", [1, 3])
def test_places_lie_within_the_picture(size: tuple[int, int], channels: int) -> None:
    pixels = np.zeros((*size, 3) if channels == 3 else size, np.uint8)
    places = places_of(pixels)
    assert places.shape[1] == channels
    assert places.shape[0] == (4 if min(size) >= 2 * PLACE else 1)
    assert max(places.shape[2:]) <= 2 * PLACE


def test_a_clean_picture_is_told_next_to_nothing_and_a_noisy_jpeg_more(tmp_path) -> None:
    restorer = Restorer(RestoreSettings("denoise"))
    clean = data.astronaut()[:160, 192:352]
    level, (words,) = restorer.sigma_of(Picture(clean, None, "PNG"), noise_of(clean))
    assert level is not None
    assert level < 2, words  # it is a scan of film
    noise = np.random.default_rng(0).normal(0, 12, (80, 80, 3)).repeat(2, 0).repeat(2, 1)  # coarse: no estimate finds it
    noisy = (clean + noise).clip(0, 255).round().astype(np.uint8)
    told, (words,) = restorer.sigma_of(Picture(noisy, None, "JPEG"), noise_of(noisy))
    assert told is not None
    assert told > 2 * level, words
    for strength in (0.0, 0.5, 2.0):  # what is made of the result says nothing of the picture
        mixed = Restorer(RestoreSettings("denoise", strength=strength))
        assert mixed.sigma_of(Picture(noisy, None, "JPEG"), noise_of(noisy)) == (told, (words,))


@pytest.mark.parametrize("sigma", [0.0, 15.0, 25.0, 50.0, 255.0])
def test_a_noisy_picture_enters_where_signal_and_noise_match(sigma: float) -> None:
    t, noise = noise_entry(sigma), torch.randn(SHAPE, dtype=torch.float64)
    clean = CLEAN.double()
    noisy = 2 * (clean + sigma / 255 * noise) - 1
    assert torch.allclose(t * noisy, t * (2 * clean - 1) + (1 - t) * noise, atol=1e-12)


@pytest.mark.parametrize("sigma", [15.0, 50.0])
def test_the_released_entry_has_less_noise_than_it_tells(sigma: float) -> None:
    t = released_entry(sigma)
    assert t < noise_entry(sigma)
    assert t * 2 * sigma / 255 < 1 - t
    assert released_entry(None) == 1
    assert released_entry(200.0) == 0


def test_the_level_that_is_found_does_not_hang_on_the_steps() -> None:
    noise = np.random.default_rng(0).normal(0, 15, (256, 256, 3))
    photograph = Picture((data.chelsea()[:256, :256] + noise).clip(0, 255).astype(np.uint8), None, "PNG")
    found = {
        Restorer(RestoreSettings("denoise", steps=steps, device="cpu")).sigma_of(photograph, noise_of(photograph.pixels))
        for steps in (1, 8)
    }
    assert len(found) == 1


def test_a_level_that_is_given_counts_as_far_as_the_picture_bears_it_out() -> None:
    noisy = (
        np.clip(data.astronaut()[:128, 192:320] + np.random.default_rng(0).normal(0, 20, (128, 128, 3)), 0, 255)
        .round()
        .astype(np.uint8)
    )
    picture, white = Picture(noisy, None, "PNG"), noise_of(noisy)

    def given(sigma: float | None) -> tuple[float | None, tuple[str, ...]]:
        return Restorer(RestoreSettings("denoise", sigma=sigma, device="cpu", engine="torch")).sigma_of(picture, white)

    found, _ = given(None)
    assert found is not None and given(20) == (20, ()) and given(0) == (0, ())
    for sigma, bound in ((2, found / BELIEVED), (50, found * BELIEVED)):
        level, (said,) = given(sigma)
        assert level == pytest.approx(bound) and f"`sigma` {sigma} counts as {bound:.1f}" in said
