"""A cache that may be damaged or closed."""

from __future__ import annotations

from pathlib import Path

import pytest
from loaded import CPU, checkpoint, installed

from irflow_cli.engines.backends import open_engine, store
from irflow_cli.engines.backends.table import Loaded


@pytest.mark.parametrize("damage", [b"", b"no graph at all, but long enough for a digest and more", None])
def test_a_damaged_cache_is_made_again(damage: bytes | None) -> None:
    known = Loaded(checkpoint())
    whole = known.graph()
    path = store.engines_folder() / f"{known.key}.onnx"
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]) if damage is None else damage)
    assert store.read(path.name) is None
    assert Loaded(checkpoint()).graph() == whole
    assert path.read_bytes() == kept


def test_a_cache_that_cannot_be_written_costs_no_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(blocked))
    engine = open_engine(checkpoint(), CPU, installed("onnxruntime"))
    assert engine.name == "onnxruntime"
    [said] = engine.remarks()
    assert said.startswith(f"cannot write {blocked}")
    assert said.endswith("what is found of engines is not kept, and found again each time")


def test_a_file_of_another_network_is_not_taken() -> None:
    one, other = Loaded(checkpoint()), Loaded(checkpoint(seed=1))
    whole = one.graph()
    assert other.graph() != whole
    swapped = store.engines_folder() / f"{other.key}.onnx"
    swapped.rename(store.engines_folder() / f"{one.key}.onnx")
    assert Loaded(checkpoint()).graph() == whole


def test_networks_changed_by_hand_have_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.key("a") == store.key("a") != store.key("b")
    known = store.key("a")
    (tmp_path / "unet.py").write_text("WIDTH = 3")
    monkeypatch.setattr(store, "SOURCES", (*store.SOURCES, tmp_path))
    assert store.key("a") != known
