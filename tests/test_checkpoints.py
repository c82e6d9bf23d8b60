"""Checkpoints: found in order, believed only when they fit, never executed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from irflow_cli.errors import CheckpointError
from irflow_cli.runtime import checkpoints
from irflow_cli.runtime.checkpoints import Card, load_checkpoint, read_card, resolve


@pytest.fixture
def good(tiny_checkpoint: Callable[[str], Path]) -> Path:
    return tiny_checkpoint("derain")


def test_path_then_shipped_then_cache(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, cache = tmp_path / "shipped", tmp_path / "cache"
    monkeypatch.setattr(checkpoints, "shipped_folder", lambda: shipped)
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(cache))
    assert resolve(str(good)) == good
    with pytest.raises(CheckpointError, match="neither"):
        resolve("rare")
    for folder in (cache / "checkpoints", shipped):  # the later one is found first
        folder.mkdir(parents=True)
        (folder / "rare.safetensors").write_bytes(good.read_bytes())
        assert resolve("rare") == folder / "rare.safetensors"


@pytest.mark.parametrize("name", ["../derain", "a/b", "", "x" * 99, ".hidden"])
def test_names_cannot_leave_the_folders(name: str) -> None:
    with pytest.raises(CheckpointError):
        resolve(name)


def test_a_truncated_or_altered_file_is_refused(good: Path, tmp_path: Path) -> None:
    data = good.read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    for broken in (data[:100], data[: len(data) // 2], b"", b"\xff" * 64, data[:8] + b"[" + data[9:]):
        damaged.write_bytes(broken)
        with pytest.raises(CheckpointError, match="damaged"):
            load_checkpoint(damaged)


def test_a_flipped_bit_in_the_weights_is_seen(good: Path, tmp_path: Path) -> None:
    data = bytearray(good.read_bytes())
    data[-200] ^= 4
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)


def test_pickle_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "exploded").touch, ())

    path = tmp_path / "bomb.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)
    assert not (tmp_path / "exploded").exists()


def _changed(good: Path, tmp_path: Path, change: dict[str, object]) -> Path:
    loaded = load_checkpoint(good)
    header = {**json.loads(loaded.card.to_json()), **change}
    path = tmp_path / "changed.safetensors"
    save_file(
        {key: value.contiguous() for key, value in loaded.net.state_dict().items()},
        path,
        {"irflow": json.dumps(header)},
    )
    return path


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"schema": 99}, "schema"),
        ({"task": "colourise"}, "colourise"),
        ({"predicts": "velocity"}, "velocity"),
        ({"surprise": 1}, "surprise"),
        ({"spec": {"net": "unet"}}, "spec"),
        ({"range": [-1, 1]}, "range"),
    ],
)
def test_a_header_that_does_not_fit_is_named(good: Path, tmp_path: Path, change: dict[str, object], match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        load_checkpoint(_changed(good, tmp_path, change))


def test_a_missing_tensor_is_named(good: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(good)
    weights = {key: value.contiguous() for key, value in loaded.net.state_dict().items()}
    weights.pop("entry.weight")
    path = tmp_path / "short.safetensors"
    save_file(weights, path, {"irflow": loaded.card.to_json()})
    with pytest.raises(CheckpointError, match=r"entry\.weight"):
        load_checkpoint(path)


def test_a_file_of_someone_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="not made by irflow"):
        load_checkpoint(path)


def test_a_card_survives_its_header(good: Path) -> None:
    card = read_card(good)
    assert Card.from_json(card.to_json()) == card
