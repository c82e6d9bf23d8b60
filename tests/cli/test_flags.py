"""Fields of settings and the options that set them."""

from __future__ import annotations

from irflow_cli.cli.flags import with_flags


def test_the_command_line_names_the_flag() -> None:
    assert with_flags("`steps` must be at least 1; see `box`, `data` and `pip install x`") == (
        "--steps must be at least 1; see --mask-box, DATA and `pip install x`"
    )
