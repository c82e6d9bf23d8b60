"""How far a network is believed by its own second one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from irflow_cli.engines.confidence import AMPLIFIED, CERTAIN, DOUBT, FAINT, LARGEST, TRUST, UNSURE, confidence_of, seen_of
from irflow_cli.images.picture import top_of
from irflow_cli.nets.confidence import CELL, CHANNELS, MULTIPLE, SHRUNK, ConfidenceNet

MIDDLE = (DOUBT + TRUST) / 2
SIDES = (384, 512)
SIZES = [(384, 512), (33, 1025), (1, 1), (700, 40)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_picture_and_its_change_are_seen_at_once(dtype: type, height: int, width: int, channels: tuple[int, ...]) -> None:
    top = top_of(np.dtype(dtype))
    before = np.full((height, width, *channels), 0.25 * top, dtype)
    after = np.full((height, width, *channels), 0.5 * top, dtype)
    seen = seen_of(before, after, strength=2.0)
    assert seen.shape[1] == CHANNELS
    for side, given in zip(seen.shape[2:], (height, width), strict=True):
        assert side % MULTIPLE == 0
        assert side == MULTIPLE or abs(side - given / SHRUNK) <= MULTIPLE / 2
    assert torch.allclose(seen[:, :3], torch.tensor(0.25), atol=0.01)
    assert torch.allclose(seen[:, 3:7], torch.tensor(0.25 * AMPLIFIED / 2), atol=0.02)
    assert torch.allclose(seen[:, 7:], torch.tensor(np.log(FAINT) / 4 + 2, dtype=torch.float32), atol=1e-3)


def test_of_a_large_picture_no_more_is_seen() -> None:
    before = np.zeros((3000, 4000), np.uint8)
    height, width = seen_of(before, before).shape[2:]
    assert height * width == pytest.approx(LARGEST / SHRUNK**2, rel=0.1)
    assert width / height == pytest.approx(4 / 3, rel=0.05)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_shares_are_between_nothing_and_all(height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irflow_cli.engines.confidence.UNSURE", -2.0)
    monkeypatch.setattr("irflow_cli.engines.confidence.CERTAIN", -1.0)
    torch.manual_seed(0)
    net, random = ConfidenceNet(), np.random.default_rng(0)
    before, after = random.integers(0, 255, (2, height, width, 3), np.uint8)
    seen = seen_of(before, after)
    for logit, share in ((-9.0, 0.0), (float(np.log(MIDDLE / (1 - MIDDLE))), 0.5), (9.0, 1.0)):
        torch.nn.init.zeros_(net.exit.weight)
        torch.nn.init.constant_(net.exit.bias, logit)  # type: ignore[arg-type]
        shares = confidence_of(net, before, after)
        assert shares.shape == tuple(side // CELL for side in seen.shape[2:])
        assert np.allclose(shares, share, atol=1e-6)


def test_a_mirrored_picture_is_believed_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irflow_cli.engines.confidence.UNSURE", -2.0)
    monkeypatch.setattr("irflow_cli.engines.confidence.CERTAIN", -1.0)
    torch.manual_seed(3)
    net, random = ConfidenceNet().requires_grad_(False), np.random.default_rng(1)
    net.exit.weight *= 30
    before, after = random.integers(0, 255, (2, 320, 416, 3), np.uint8)
    shares = confidence_of(net, before, after)
    assert shares.std() > 0.05
    assert np.allclose(confidence_of(net, before[:, ::-1], after[:, ::-1])[:, ::-1], shares, atol=0.02)


def test_what_is_seen_smaller_counts_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irflow_cli.engines.confidence.UNSURE", -2.0)
    monkeypatch.setattr("irflow_cli.engines.confidence.CERTAIN", -1.0)
    larger = 4 * (SIDES[0] // MULTIPLE // SHRUNK)

    class Says(ConfidenceNet):
        """Says 2 more of the larger view than of the smaller one, whose mean is a share of half."""

        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            rows, columns = (side // CELL for side in seen.shape[2:])
            return torch.full((1, rows, columns), float(np.log(MIDDLE / (1 - MIDDLE))) + (1 if rows >= larger else -1))

    before = np.zeros((*SIDES, 3), np.uint8)
    assert np.allclose(confidence_of(Says(), before, before + np.uint8(99)), 0.5, atol=1e-5)


@pytest.mark.parametrize(
    ("most", "changed", "kept"),
    [(CERTAIN + 0.01, 255, 1), (CERTAIN + 0.01, 3, 0), (UNSURE - 0.01, 255, 0), ((CERTAIN + UNSURE) / 2, 255, 0.5)],
)
def test_a_doubtful_change_is_believed_beside_a_certain_one_alone(most: float, changed: int, kept: float) -> None:
    """Of places that are black, changed by so many levels, the net is certain by `most`, of others barely."""

    def says(share: float) -> float:
        return float(np.log(share / (1 - share)))

    class Says(ConfidenceNet):
        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            dark = torch.nn.functional.avg_pool2d(seen[:, 0], CELL) < 0.01
            return torch.where(dark, says(most), says(TRUST + 0.01))

    before = np.full((384, 512, 3), 128, np.uint8)
    before[:, 256:320] = 0
    after = before + np.uint8(5)
    after[:, 256:320] = changed
    shares = confidence_of(Says(), before, after)
    assert np.allclose(shares, kept, atol=0.01)
