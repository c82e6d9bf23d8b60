"""What every degradation must keep."""

from __future__ import annotations

import pytest
import torch
from drawn import scenes, seeded

from irflow_cli.degradations import DEGRADATIONS, degrade


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_severity_zero_is_the_identity(kind: str) -> None:
    assert torch.equal(degrade(scenes(), kind, 0, generator=seeded()), scenes())


@pytest.mark.parametrize("kind", DEGRADATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_same_generator_same_result_and_the_input_is_left_alone(kind: str, channels: int) -> None:
    picture, usual = scenes(channels=channels), DEGRADATIONS[kind].usual
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
    entry, picture = DEGRADATIONS[kind], scenes(6)
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


@pytest.mark.parametrize(("kind", "severity"), [("noise", 76), ("rain", -0.1), ("jpeg", 100)])
def test_severity_out_of_range_is_refused(kind: str, severity: float) -> None:
    with pytest.raises(ValueError, match="severity"):
        degrade(scenes(), kind, severity, generator=seeded())
