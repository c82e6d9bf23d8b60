"""What a page may ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from drawn import scene

from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.settings import SamplerSettings
from irflow_cli.engines.upscaler import Upscaler
from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.serve.bits import Bits
from irflow_cli.serve.steps import Engines, Inpaint, Upscale, proposals_of, step_of
from irflow_cli.tasks import MAX_PIXELS

DOT = Bits(0, 0, 1, 1, b"\x80")


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "train"},
        {"kind": []},
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
    engines = Engines()
    assert [step.seed for step in proposals_of(Inpaint(DOT, seed=5), 3, engines)] == [5, 6, 7]  # type: ignore[attr-defined]
    assert {step.preset for step in proposals_of(Inpaint(DOT), 2, engines)} == {"varied"}  # type: ignore[attr-defined]
    assert proposals_of(Inpaint(DOT), 1, engines) == [Inpaint(DOT)]
    with pytest.raises(UsageError, match="from 1 to 8"):
        proposals_of(Inpaint(DOT), 9, engines)
    with pytest.raises(UsageError, match="preset smooth has one result, whatever the seed"):
        proposals_of(Inpaint(DOT, preset="smooth"), 2, engines)


class Machine:
    """Engines of a tiny prior."""

    machine: ClassVar[dict] = {"device": "cpu"}
    max_pixels = MAX_PIXELS

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def inpainter(self, settings: SamplerSettings) -> Inpainter:
        return Inpainter(replace(settings, checkpoint=self.checkpoint))

    def upscaler(self, settings: SamplerSettings, scale: int, operator: str) -> Upscaler:
        return Upscaler(replace(settings, checkpoint=self.checkpoint), scale, operator)


def test_a_page_is_told_what_a_command_tells(tiny_checkpoint) -> None:
    machine = Machine(str(tiny_checkpoint("prior")))
    picture = Picture(scene(24, 32).astype(np.float32) / 200, None, "TIFF")
    most = Bits.of(np.pad(np.ones((24, 28), bool), ((0, 0), (4, 0))))
    for step, *told in (
        (Inpaint(most, (24, 32)), "beyond 0 to 1", "% of it is missing"),
        (Upscale(), "values beyond 0 to 1 were clipped"),
    ):
        notes = " | ".join(step.run(machine, picture, lambda done: None)[1])  # type: ignore[arg-type]
        assert all(one in notes for one in told), notes
    for wrong in (Inpaint(DOT, preset="texturr"), Upscale(preset="varied")):
        with pytest.raises(UsageError, match="unknown `preset`"):
            wrong.check(machine)  # type: ignore[arg-type]
