"""Where irflow keeps its own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from irflow_cli.runtime.places import batches_folder, cache_folder, checkpoints_in, own_cache, shipped_folder
from irflow_cli.tasks import TASKS


def test_the_cache_is_where_its_variable_says_or_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path))
    assert {cache_folder().parent, batches_folder().parent, own_cache()} == {tmp_path}
    monkeypatch.delenv("IRFLOW_CACHE_DIR")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: f"/home/me/{name}")
    assert own_cache() == Path("/home/me/irflow")


def test_every_checkpoint_that_ships_is_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").touch()
    (tmp_path / "a.safetensors").touch()
    (tmp_path / "a.txt").touch()
    found = checkpoints_in(tmp_path, shipped_folder(), tmp_path / "none")
    assert [path.name for path in found[:2]] == ["a.safetensors", "b.safetensors"]
    named = {task.checkpoint for task in TASKS.values() if task.checkpoint}
    assert named <= {path.stem for path in found[2:]}
