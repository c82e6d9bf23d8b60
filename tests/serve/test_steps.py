"""What a page may ask for."""

from __future__ import annotations

import pytest

from irflow_cli.errors import UsageError
from irflow_cli.serve.bits import Bits
from irflow_cli.serve.steps import Inpaint, proposals_of, step_of

DOT = Bits(0, 0, 1, 1, b"\x80")


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "train"},
        {"kind": "restore"},
        {"kind": "restore", "task": "derain", "device": "cuda"},
        {"kind": "restore", "task": "derain", "steps": "1"},
        {"kind": "restore", "task": "derain", "steps": True},
        {"kind": "upscale", "scale": 2.5},
        {"kind": "inpaint"},
        {},
    ],
)
def test_messages_that_make_no_sense_are_refused(asked: dict) -> None:
    with pytest.raises(UsageError):
        step_of(asked)


def test_proposals_have_seeds_of_their_own() -> None:
    assert [step.seed for step in proposals_of(Inpaint(DOT, seed=5), 3)] == [5, 6, 7]  # type: ignore[attr-defined]
    assert {step.preset for step in proposals_of(Inpaint(DOT), 2)} == {"varied"}  # type: ignore[attr-defined]
    assert proposals_of(Inpaint(DOT), 1) == [Inpaint(DOT)]
    with pytest.raises(UsageError):
        proposals_of(Inpaint(DOT), 9)
