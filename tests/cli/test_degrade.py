"""`irflow degrade`: the same picture from the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.images.decode import read_picture


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_degrade_is_the_same_for_the_same_seed_and_content(kind: str, irflow, picture_file, tmp_path: Path) -> None:
    source = picture_file("clean.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "other-name.png").write_bytes(source.read_bytes())
    assert irflow("degrade", source, tmp_path / "one.png", "--kind", kind, "--seed", 5).code == 0
    assert irflow("degrade", tmp_path / "folder", tmp_path / "out", "--kind", kind, "--seed", 5).code == 0
    one = read_picture(tmp_path / "one.png").pixels
    assert np.array_equal(one, read_picture(tmp_path / "out" / "other-name.png").pixels)
    assert not np.array_equal(one, read_picture(source).pixels)
    assert irflow("degrade", source, tmp_path / "none.png", "--kind", kind, "--severity", 0).code == 0
    assert np.array_equal(read_picture(tmp_path / "none.png").pixels, read_picture(source).pixels)
    if kind != "jpeg":
        irflow("degrade", source, tmp_path / "two.png", "--kind", kind, "--seed", 6)
        assert not np.array_equal(one, read_picture(tmp_path / "two.png").pixels)


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--kind", "magic"), "unknown --kind"), (("--kind", "noise", "--severity", "90"), "--severity")],
)
def test_degrade_refuses_what_makes_no_sense(options: tuple[str, ...], message: str, irflow, picture_file) -> None:
    done = irflow("degrade", picture_file("in.png"), picture_file("in.png").with_name("out.png"), *options)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert message in done.err
