"""What looks like rain and is none."""

from __future__ import annotations

import torch
from drawn import seeded

from irflow_cli.degradations.distractors import distractors


def test_distractors_are_bright_and_dark_and_in_nearly_every_picture() -> None:
    picture = torch.full((60, 3, 48, 48), 0.5)
    changed = distractors(picture, seeded()) - 0.5
    assert float((changed.abs().amax((1, 2, 3)) > 0.05).float().mean()) > 0.9
    assert float((changed > 0.2).float().mean()) > 0.03
    assert float((changed < -0.2).float().mean()) > 0.03
    assert float((changed.abs() < 0.01).float().mean()) > 0.4  # lines, not floods
