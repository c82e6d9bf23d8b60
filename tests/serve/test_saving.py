"""What was done as a command."""

from __future__ import annotations

import pytest

from irflow_cli.serve.bits import Bits
from irflow_cli.serve.saving import SaveOptions, command, passes
from irflow_cli.serve.steps import Engines, Inpaint, Restore, Upscale

DOT = Bits(0, 0, 1, 1, b"\x80")


@pytest.mark.parametrize(
    ("name", "steps", "options", "lines"),
    [
        ("a.png", [Restore("derain")], SaveOptions(), ["irflow restore a.png --task derain"]),
        (
            "my cat.jpg",
            [Restore("denoise", 2, 0.5, 12.0)],
            SaveOptions(),
            ["irflow restore 'my cat.jpg' --task denoise --steps 2 --strength 0.5 --sigma 12.0"],
        ),
        (
            "a.jpg",
            [Restore("derain"), Restore("denoise")],
            SaveOptions(),
            [
                "irflow restore a.jpg --task derain --format png",
                "irflow restore a.derain.png --task denoise --format jpg",
            ],
        ),
        (
            "in/a.png",
            [Inpaint(DOT, (1, 1), "smooth", 3, 2, 4), Upscale(3)],
            SaveOptions("webp"),
            [
                "irflow inpaint in/a.png --mask in/a.mask.png --preset smooth --seed 3 --mask-dilate 2 --mask-feather 4",
                "irflow upscale in/a.inpaint.png --scale 3 --format webp",
            ],
        ),
    ],
)
def test_the_command_says_what_was_done(name: str, steps: list, options: SaveOptions, lines: list[str]) -> None:
    assert command(passes(name, steps, options), options, Engines(), {}) == " && \\\n".join(lines)
