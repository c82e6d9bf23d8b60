"""What tells how far to believe a network is trained on what that network changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import confidence
import numpy as np
import pytest
import torch
from drawn import TINY, lively, save, scene

from irflow_cli.api import Restorer
from irflow_cli.runtime.checkpoints import Card, read_card, save_checkpoint

SIDES = (96, 128)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a network for drops and two photographs, one of which is held out."""
    save_checkpoint(tmp_path / "drops.safetensors", lively(TINY).state_dict(), Card("deraindrop", TINY))
    for seed in range(2):
        save(tmp_path / "photos" / f"{seed}.png", scene(140, 120 + 60 * seed, seed))
    monkeypatch.setattr(confidence, "SIDES", SIDES)
    monkeypatch.setattr(confidence, "SEEN", (48, 64))
    return tmp_path


@pytest.mark.parametrize("task", confidence.ALIKE)
def test_a_pair_is_wet_or_holds_what_looks_like_it_as_its_kind_says(task: str) -> None:
    clean, layers = scene(*SIDES), torch.rand(2, 1, *SIDES)
    for kind, (alike, wet, _) in confidence.KINDS.items():
        degraded, truth = confidence.drawn_pair(clean, kind, 3, task, layers)
        grain = 40 if wet and task == "derain" else 2  # of a camera, in both
        assert degraded.shape == truth.shape == clean.shape
        assert (np.abs(truth.astype(int) - clean).max() > grain) == alike
        assert (not np.array_equal(degraded, truth)) == wet


def test_all_kinds_of_rain_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, known = set(), confidence.applier

    def seen(kind: str, layers: torch.Tensor | None) -> Callable[..., torch.Tensor]:
        drawn.add(kind)
        return known(kind, layers)

    monkeypatch.setattr(confidence, "applier", seen)
    clean, layers = scene(32, 48), torch.rand(2, 1, 32, 48)
    for seed in range(60):
        confidence.drawn_pair(clean, "wet", seed, "derain", layers)
    assert drawn == {part.kind for part in confidence.PARTS["derain"]} - {"clean"}


def test_the_best_share_of_a_change_is_found_in_its_moves() -> None:
    truth = scene(*SIDES).astype(np.float32)
    degraded, part = truth + 20, 0.4
    moves = confidence.moves_of(degraded, degraded - 20 / part, truth, (6, 8))
    assert np.allclose(-moves[1] / moves[0], part, atol=1e-3)


def test_parts_are_cut_where_their_cells_are() -> None:
    seen, moves = torch.zeros(confidence.CHANNELS, 64, 96), torch.zeros(2, 16, 24)
    seen[:, 20:24, 40:44], moves[:, 5, 10] = 1, 1
    for _ in range(20):
        part = confidence.part_of(confidence.Drawn(seen, moves, True))
        cells = torch.nn.functional.max_pool2d(part.seen[:1], confidence.CELL)[0] > 0
        assert torch.equal(cells, part.moves[0] > 0)


def test_a_network_gets_what_tells_how_far_to_believe_it(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = made / "drops.safetensors", made / "out.safetensors"
    work = made / "work"
    work.mkdir()
    for part in range(2):
        confidence.draw(str(source), made / "photos", work, None, 0, (part, 2))
    assert len(list(work.iterdir())) == len(confidence.KINDS) + 2  # of the second, none has what looks like drops
    names = [
        "x",
        str(source),
        "--photos",
        str(made / "photos"),
        "--work",
        str(work),
        "-o",
        str(out),
        "--minutes",
        "0.01",
        "--width",
        "6",
    ]
    monkeypatch.setattr(sys, "argv", [*names, "--processes", "1"])
    confidence.main()  # draws nothing again
    card = read_card(out)
    assert card.spec.to_dict() == {**TINY.to_dict(), "confidence": 6}
    assert all(f"{kind}: " in card.scores["confidence"] for kind in confidence.KINDS)
    assert Restorer("deraindrop", checkpoint=out, device="cpu")(scene(40, 50)).shape == (40, 50, 3)


def test_a_timid_network_makes_a_part_of_the_change_and_is_to_be_believed_all_the_more() -> None:
    truth = scene(*SIDES)
    degraded = (truth.astype(float) + 20).clip(0, 255).astype(np.uint8)
    timid = confidence.timid_of(degraded, truth, truth, 4.0)
    best = -timid.moves[1] / timid.moves[0].clamp_min(1e-9)
    size = confidence.size_of(timid)
    assert timid.wet and bool((best[size > 0.5] > 1).all()) and 0 < float(size.mean()) < 0.85 * 20
