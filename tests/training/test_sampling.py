"""What training pictures are drawn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from drawn import scene
from torch.nn import functional as F

from irflow_cli.tasks import TASKS
from irflow_cli.training import sampling as sources
from irflow_cli.training.dataset import load_corpus
from irflow_cli.training.distributed import ProcessGroup
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.sampling import COMPRESSED, GRAIN, PARTS, Part, Sampler, Source, draw_batch, draw_source


def test_every_task_has_a_source(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "GRAIN", replace(GRAIN, share=0))
    corpus, *_ = load_corpus(photographs, 24, torch.device("cpu"))
    clean = corpus.batch(48, 24, np.random.default_rng(0))
    assert PARTS.keys() | {"prior"} == TASKS.keys()
    for task in TASKS:
        source = draw_source(task, clean, torch.Generator().manual_seed(1))
        assert source.degraded.shape == clean.shape
        assert not torch.equal(source.degraded, clean)
        grey = (source.clean == source.clean[:, :1]).all(dim=(1, 2, 3))
        known = {crop.contiguous().numpy().tobytes() for crop in clean}
        kept = [crop.contiguous().numpy().tobytes() in known for crop in source.clean[~grey]]
        assert all(kept) or (sum(kept) > 0.3 * len(kept) and task != "denoise")  # lines, and what is out of focus
        if TASKS[task].prior:
            continue
        assert torch.equal(source.degraded[grey], source.degraded[grey][:, :1].expand(-1, 3, -1, -1))
        assert bool(((source.start >= 0) & (source.start < 1)).all())
        assert bool((source.start > 0).any()) == (TASKS[task].sigma_max is not None)


@pytest.mark.parametrize("task", ["derain", "denoise", "deraindrop"])
def test_some_pictures_are_stored_as_jpeg_last(monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    clean = torch.from_numpy(scene(48, 48)).permute(2, 0, 1)[None] / 255
    clean = clean.expand(40, -1, -1, -1).contiguous()

    def drawn(share: float) -> Source:
        monkeypatch.setattr(sources, "COMPRESSED", replace(COMPRESSED, share=share))
        return draw_source(task, clean, torch.Generator().manual_seed(1))

    none, some, all_ = drawn(0), drawn(COMPRESSED.share), drawn(1)
    changed = [float((one.degraded != none.degraded).any((1, 2, 3)).float().mean()) for one in (some, all_)]
    assert 0 < changed[0] < 0.4
    assert changed[1] == 1
    assert float((all_.degraded - none.degraded).abs().mean()) < 0.1  # no worse than a JPEG makes it


@pytest.mark.parametrize("task", ["derain", "deraindrop"])
def test_grain_lies_over_all_and_is_no_degradation(monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    monkeypatch.setitem(PARTS, task, (Part("clean", 1, 0, 0),))
    monkeypatch.setattr(sources, "COMPRESSED", replace(COMPRESSED, share=0))
    monkeypatch.setattr(sources, "GRAIN", replace(GRAIN, share=1))
    grey = torch.full((60, 3, 32, 32), 0.5)
    source = draw_source(task, grey, torch.Generator().manual_seed(1))
    levels = 255 * (source.clean - 0.5).std((1, 2, 3))
    assert float((source.degraded - source.clean).abs().max()) <= 0.5001 / 255  # rounding
    assert GRAIN.low <= float(levels.min()) < 1
    assert 2 < float(levels.max()) < 1.4 * GRAIN.high


def test_a_level_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = torch.full((400, 3, 16, 16), 0.5)
    monkeypatch.setitem(PARTS, "denoise", (Part("noise", 1, 30, 30),))

    def level(share: float) -> torch.Tensor:
        monkeypatch.setattr(sources, "COMPRESSED", replace(COMPRESSED, share=share))
        return 55 * (1 - draw_source("denoise", flat, torch.Generator().manual_seed(1)).start)

    white, stored = level(0), level(1)
    assert float(white.median()) == pytest.approx(30, rel=0.03)
    assert 0.8 < float(((white - 30).abs() < 6).float().mean()) < 1  # an estimate's error, and sometimes a user's guess
    assert float(white.max()) > 45
    assert float((stored < 2).float().mean()) == pytest.approx(0.5, abs=0.1)  # an estimate finds next to nothing behind JPEG
    assert float(stored.max()) > 45


@pytest.mark.parametrize("kind", ["photo", "film-grain", "clean"])
def test_a_picture_tells_no_level(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setitem(PARTS, "denoise", (Part(kind, 1, 10, 10),))
    level = 55 * (1 - draw_source("denoise", torch.full((400, 3, 16, 16), 0.5), torch.Generator().manual_seed(1)).start)
    assert float((level < 2.1).float().mean()) > 0.55


def test_pixels_of_a_prior_stand_where_their_times_say(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ENLARGED", 0)
    corpus, *_ = load_corpus(photographs, 24, torch.device("cpu"))
    clean = corpus.batch(40, 24, np.random.default_rng(0))
    source = draw_source("prior", clean, torch.Generator().manual_seed(1))
    times = source.start.expand(-1, 3, -1, -1)
    assert torch.allclose(source.degraded[times == 1], source.clean[times == 1], atol=1e-6)
    moving = times[:, 0].flatten(1).amin(1)  # of the pixels that are not known: one time a picture
    assert bool(((times == 1) | (times == moving[:, None, None, None])).all())
    assert bool((moving < 0.99).all())
    noise = (source.degraded - times * source.clean) / (1 - times).clamp_min(1e-3)
    noise = noise[(times < 0.9)]
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(noise.std()) == pytest.approx(0.5, abs=0.02)
    shares = (times == 1).float().mean((1, 2, 3))
    assert float(shares.min()) == 0  # some are noise throughout
    assert 0.3 < float(shares.mean()) < 0.8
    assert float(shares.max()) < 1


def test_a_share_of_a_priors_pictures_stands_where_upscaling_begins(photographs: Path) -> None:
    corpus, *_ = load_corpus(photographs, 24, torch.device("cpu"))
    clean = corpus.batch(80, 24, np.random.default_rng(0))
    source = draw_source("prior", clean, torch.Generator().manual_seed(1))
    guesses = round(80 * sources.ENLARGED)
    late, picture = source.start[:guesses], source.clean[:guesses]
    assert torch.equal(late.amin((1, 2, 3)), late.amax((1, 2, 3)))
    assert sources.GUESSED[0] <= float(late.min()) < float(late.max()) <= sources.GUESSED[1]
    guess, found = 0.5 + (source.degraded[:guesses] - 0.5) / late, set()
    for scale in (2, 3, 4):
        small = (F.avg_pool2d(picture, scale) * 255).round() / 255
        for one, wanted in zip(small.numpy(), guess.numpy(), strict=True):
            large = cv2.resize(one.transpose(1, 2, 0), (24, 24), interpolation=cv2.INTER_CUBIC)
            found |= {scale} if np.allclose(large.transpose(2, 0, 1), wanted, atol=1e-5) else set()
    assert found == {2, 3, 4}


def test_all_pixels_of_the_papers_prior_stand_at_one_time(photographs: Path) -> None:
    corpus, *_ = load_corpus(photographs, 24, torch.device("cpu"))
    request = TrainRequest(photographs, Path(), "prior", batch=400, crop=24, known=0)
    times = draw_batch(request, corpus, None, torch.Generator().manual_seed(1)).start
    assert torch.equal(times.amin((1, 2, 3)), times.amax((1, 2, 3)))
    counts = torch.histc(times.amax((1, 2, 3)), 4, 0, 0.99)
    assert bool((counts > 60).all())  # uniform: a hundred each


def test_what_happens_to_a_crop_does_not_hang_on_its_place(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops, and what is done to them, are drawn independently: lines do not always come to the tops of photographs."""
    drawn: dict[str, np.ndarray] = {}
    real = np.random.default_rng

    def noted(seed: int) -> np.random.Generator:
        drawn[str(seed)] = real(seed).random((4, 64))
        return real(seed)

    monkeypatch.setattr(np.random, "default_rng", noted)
    corpus, *_ = load_corpus(photographs, 24, torch.device("cpu"))
    draw_batch(TrainRequest(photographs, Path(), "derain", batch=64, crop=24), corpus, None, torch.Generator().manual_seed(1))
    crops, parts = drawn.values()
    assert np.abs(np.corrcoef(np.concatenate([crops, parts]))[:4, 4:]).max() < 0.5


@pytest.mark.parametrize("accumulate", [1, 2])
def test_batches_belong_to_the_number_of_their_iteration(photographs: Path, accumulate: int) -> None:
    corpus, *_ = load_corpus(photographs, 24, torch.device("cpu"))
    request = TrainRequest(photographs, Path(), "denoise", batch=3, crop=24, prefetch=4, accumulate=accumulate)

    def batches(iterations: range) -> list[bytes]:
        sampler, found = Sampler(request, corpus, None, ProcessGroup()), []
        for iteration in iterations:
            for source, generator in sampler.batches(iteration):
                found.append(source.degraded.numpy().tobytes() + torch.rand(4, generator=generator).numpy().tobytes())
        return found

    whole = batches(range(10))
    assert len(set(whole)) == 10 * accumulate
    assert batches(range(6, 10)) == whole[6 * accumulate :]
