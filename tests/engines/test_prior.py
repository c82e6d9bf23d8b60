"""What the engine of a prior makes of its settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn import scene
from loaded import installed

from irflow_cli.api import inpaint, upscale
from irflow_cli.degradations.masks import HOLES
from irflow_cli.engines.prior import UNTAUGHT, Prior, scattered
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import PRESETS, RestoreSettings, SamplerSettings
from irflow_cli.errors import ImageError, UsageError
from irflow_cli.flow.guided import DIFFERENTIATED, GUIDED
from irflow_cli.flow.observations import masked
from irflow_cli.flow.samplers import Trajectory
from irflow_cli.images.picture import Picture
from irflow_cli.runtime.checkpoints import load_checkpoint


@pytest.mark.parametrize("kind", HOLES)
def test_single_pixels_are_told_from_holes(kind: str) -> None:
    known = torch.from_numpy(~HOLES[kind](96, 96, np.random.default_rng(1))).float()[None, None]
    assert scattered(known) == (kind in ("pixels", "grid"))


@pytest.mark.parametrize("known", [torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)])
def test_all_or_nothing_is_not_scattered(known: torch.Tensor) -> None:
    assert not scattered(known)


def test_what_is_known_is_believed_less_where_it_is_noisy(tiny_checkpoint) -> None:
    picture, hole = scene(48, 48), np.zeros((48, 48), bool)
    hole[20:30, 20:30] = True
    path = str(tiny_checkpoint("prior"))
    filled = [inpaint(picture, hole, checkpoint=path, sampler="restora", steps=6, sigma=sigma) for sigma in (0, 40)]
    assert not np.array_equal(filled[0][hole], filled[1][hole])
    assert np.array_equal(filled[1][~hole], picture[~hole])
    large = [upscale(picture, checkpoint=path, sigma=sigma) for sigma in (0, 40)]
    means = [one.reshape(48, 2, 48, 2, 3).mean((1, 3)) for one in large]
    assert np.abs(means[0] - picture).max() <= 1
    assert np.abs(means[1] - picture).max() > 2


@pytest.mark.parametrize("settings", [{"sigma": -1.0}, {"sigma": 300.0}, {"sampler": "restora-denoise"}])
def test_settings_that_make_no_sense_are_refused(settings: dict, tiny_checkpoint) -> None:
    with pytest.raises(UsageError):
        inpaint(scene(32, 32), np.eye(32) > 0, checkpoint=str(tiny_checkpoint("prior")), **settings)


def test_the_papers_own_number_reaches_the_sampler(tiny_checkpoint) -> None:
    hole = np.zeros((40, 40), bool)
    hole[10:20, 10:20] = True
    path, given = str(tiny_checkpoint("prior")), {"sampler": "pnp", "steps": 4}
    usual, other = (inpaint(scene(40, 40), hole, checkpoint=path, weight=weight, **given) for weight in (None, 2.0))
    assert not np.array_equal(usual, other)
    assert SamplerSettings(sampler="pnp", weight=2.0).schedule("pixels").weight == 2.0


def test_restora_flows_denoising_rule_is_a_sampler_of_the_prior(tiny_checkpoint) -> None:
    settings = RestoreSettings("denoise", steps=3, sigma=100, method="prior", checkpoint=str(tiny_checkpoint("prior")))

    def restored(sampler: str) -> Picture:
        return Restorer(replace(settings, sampler=sampler)).restore(Picture(scene(40, 40), None, "PNG"))[0]

    ours, theirs = restored("euler"), restored("restora-denoise")
    assert not np.array_equal(ours.pixels, theirs.pixels)
    with pytest.raises(UsageError, match="restora-denoise goes with `method` prior"):
        replace(settings, method="flow", sampler="restora-denoise").check()


@pytest.mark.parametrize("sampler", DIFFERENTIATED)
def test_gradients_are_taken_by_torch(sampler: str, tiny_checkpoint) -> None:
    """Whatever engine is usual here: no other can."""
    hole = np.eye(32) > 0
    path, picture = str(tiny_checkpoint("prior")), scene(32, 32)
    filled = inpaint(picture, hole, checkpoint=path, sampler=sampler, steps=2)
    assert np.array_equal(filled[~hole], picture[~hole])
    asked = Prior(SamplerSettings(sampler=sampler, engine=installed("onnxruntime"), checkpoint=path), "pixels").engine
    assert (asked.name, asked.remarks()) == ("torch", (f"`sampler` {sampler} takes gradients, which torch computes",))


def test_trajectories_begin_in_the_noise_of_the_networks_contract(tiny_checkpoint, monkeypatch) -> None:
    prior = Prior(SamplerSettings(sampler="restora", checkpoint=str(tiny_checkpoint("prior"))), "pixels")
    shape, begun = (1, 3, 64, 64), []

    def follow(field, x, times, guide):
        begun.append((float(x.mean()), float(x.std()), guide.mean, guide.deviation))
        return Trajectory(x, 1, 0)

    monkeypatch.setitem(GUIDED, "restora", follow)
    monkeypatch.setattr(prior.net, "contract", replace(prior.net.contract, noise=(0.2, 0.1)))
    schedule = replace(prior.schedule, start=0.0)
    needed, generators = torch.ones(64, 64, dtype=torch.bool), [torch.Generator().manual_seed(0)]
    prior.sample(masked(torch.zeros(shape), torch.zeros(1, 1, 64, 64)), None, needed, generators, schedule)
    assert begun[0] == pytest.approx((0.2, 0.1, 0.2, 0.1), abs=0.01)


def test_a_prior_is_sampled_as_it_was_trained(tiny_checkpoint) -> None:
    """One that was trained with no known part is sampled as the papers' priors are."""
    usual = load_checkpoint(tiny_checkpoint("prior"))
    bare = replace(usual, card=replace(usual.card, trained={"recipe": {"known": 0.0}}))
    for kind, papers in UNTAUGHT.items():
        told, untold = (Prior(SamplerSettings("auto"), kind, one) for one in (usual, bare))
        assert (told.schedule, untold.schedule) == (PRESETS["auto"][kind], PRESETS["auto"][papers])
        assert (told.enlarges, untold.enlarges) == (kind == "means", False)


def test_a_prior_that_was_trained_without_guesses_says_so_for_holes(tiny_checkpoint) -> None:
    usual = load_checkpoint(tiny_checkpoint("prior"))

    def said(preset: str, kind: str, **recipe: float) -> bool:
        checkpoint = replace(usual, card=replace(usual.card, trained={"recipe": recipe}))
        return any("guesses" in note for note in Prior(SamplerSettings(preset), kind, checkpoint).engine.notes)

    assert said("auto", "pixels", known=0.8)
    assert said("smooth", "pixels", known=0.8, guessed=0.0)
    assert not said("auto", "pixels", known=0.8, guessed=0.6)
    assert not said("auto", "pixels")  # nothing is known of its training
    assert not said("fast", "pixels", known=0.8)
    assert not said("auto", "means", known=0.8)


@pytest.mark.parametrize(("steps", "advice"), [(1, "give another `checkpoint`"), (8, "give fewer `steps`, another `sampler`")])
def test_a_trajectory_that_falls_apart_says_what_to_change(
    steps: int, advice: str, tiny_checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = Prior(SamplerSettings("paper", steps=steps, checkpoint=str(tiny_checkpoint("prior"))), "pixels")
    monkeypatch.setitem(GUIDED, "restora", lambda field, x, times, guide: Trajectory(x * float("nan"), 1, 0))
    observation = masked(torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))
    with pytest.raises(ImageError, match=advice):
        prior.sample(observation, None, torch.ones(16, 16, dtype=torch.bool), [torch.Generator().manual_seed(0)])
