"""How the page is served."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irflow_cli.errors import UsageError
from irflow_cli.serve.folder import Folder
from irflow_cli.serve.lobby import Lobby
from irflow_cli.serve.run import ServeSettings, _studio
from irflow_cli.serve.worker import Worker
from irflow_cli.tasks import MAX_PIXELS


def opened(data: tuple[bytes, str]) -> np.ndarray:
    """Return a tile's pixels."""
    return np.asarray(Image.open(io.BytesIO(data[0])))


@pytest.mark.parametrize("opened", [10, 2**26, 2**28])
def test_results_may_be_as_large_as_those_of_the_commands(opened: int) -> None:
    made = _studio(ServeSettings(max_pixels=opened), Lobby(Folder(Path()), opened), Worker())
    assert made.lobby.max_pixels == opened and made.engines.max_pixels == max(opened, MAX_PIXELS)
    assert ServeSettings().max_pixels < 10**8 < MAX_PIXELS


@pytest.mark.parametrize(("wrong", "field"), [({"port": 70_000, "max_pixels": 0}, "port"), ({"max_pixels": 0}, "max_pixels")])
def test_the_first_setting_that_makes_no_sense_is_told(wrong: dict[str, int], field: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ServeSettings(tmp_path, **wrong).check()  # type: ignore[arg-type]
    assert caught.value.field == field
    with pytest.raises(UsageError, match="there is no folder"):
        ServeSettings(tmp_path / "none", **wrong).check()  # type: ignore[arg-type]
