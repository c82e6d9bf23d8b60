"""Checkpoints: found in order, believed only when they fit, never executed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from results import memory_grows_below
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


def test_a_name_comes_before_a_file_that_happens_to_be_called_so(good: Path, tmp_path: Path, monkeypatch) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "rare.safetensors").write_bytes(good.read_bytes())
    monkeypatch.setattr(checkpoints, "shipped_folder", lambda: shipped)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rare").write_text("notes")
    assert resolve("rare") == shipped / "rare.safetensors"
    assert resolve("./rare") == Path("rare")
    (tmp_path / "rare.safetensors").write_bytes(good.read_bytes())
    assert resolve("rare.safetensors") == Path("rare.safetensors")


@pytest.mark.parametrize("name", ["../derain", "a/b", "", "x" * 99, "x" * 999, ".hidden", "~nobody-here/x"])
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
        ({"task": "No Name"}, "No Name"),
        ({"predicts": "velocity"}, "velocity"),
        ({"surprise": 1}, "surprise"),
        ({"spec": {"net": "unet"}}, "spec"),
        ({"range": [-1, 1]}, "range"),
        ({"range": 3}, "int"),
        ({"predicts": "velocity", "task": "derain"}, "derain"),
        ({"predicts": ["residual"]}, "predicts"),
        ({"spec": {"net": "transformer"}}, "transformer"),
        ({"spec": {"net": ["unet"]}}, "list"),
        ({"spec": ["unet"]}, "None"),
        ({"sigma_max": "55"}, "sigma_max"),
        ({"scores": [30.0]}, "scores"),
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


@pytest.mark.parametrize("old", [False, True])
def test_weights_as_torch_saves_them_are_told_from_damage(old: bool, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "net.pth", _use_new_zipfile_serialization=not old)
    with pytest.raises(CheckpointError, match="a file of PyTorch's; `irflow models convert`"):
        load_checkpoint(tmp_path / "net.pth")


@pytest.mark.parametrize("length", [2**23, 2**40, 2**64 - 1])
def test_a_huge_header_is_refused_unread(length: int, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write(length.to_bytes(8, "little") + good.read_bytes()[8:])
        file.truncate(2**24)  # there would be enough bytes for the first of them
    with pytest.raises(CheckpointError, match="header claims"):
        load_checkpoint(path)


@pytest.mark.parametrize("text", ["[" * 10**5, "{", "null", "7", '"' + "x" * 10**6 + '"', ""])
def test_a_header_that_is_no_card_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "strange.safetensors"
    save_file({"weight": torch.zeros(3)}, path, {"irflow": text})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert len(str(caught.value)) < 1000


def test_a_header_that_asks_for_a_gigantic_network_costs_nothing(good: Path, tmp_path: Path) -> None:
    header = json.loads(read_card(good).to_json())
    header["spec"] |= {"widths": [512] * 3, "depths": [4] * 3}  # 380 MB in float32
    path = tmp_path / "gigantic.safetensors"
    save_file({"weight": torch.zeros(3)}, path, {"irflow": json.dumps(header)})
    with memory_grows_below(256), pytest.raises(CheckpointError, match="does not fit"):
        load_checkpoint(path)


@pytest.mark.parametrize("key", ["../../outside", "/etc/passwd", "a\x1b[2Jb", "x" * 10**5])
def test_a_path_in_a_tensors_name_is_only_a_name(key: str, good: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(good)
    weights = {name: value.contiguous() for name, value in loaded.net.state_dict().items()}
    path = tmp_path / "deep" / "down" / "odd.safetensors"
    path.parent.mkdir(parents=True)
    save_file({**weights, key: torch.zeros(1)}, path, {"irflow": loaded.card.to_json()})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CheckpointError, match="does not fit") as caught:
        load_checkpoint(path)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert sorted(tmp_path.rglob("*")) == before


def test_weights_that_are_no_numbers_are_refused_and_others_told_apart(good: Path, tmp_path: Path) -> None:
    loaded, digests = load_checkpoint(good), set()
    weights = {name: value.contiguous() for name, value in loaded.net.state_dict().items()}
    path = tmp_path / "unsigned.safetensors"
    for shift in (0.0, 0.5, float("nan")):
        weights["entry.weight"] = weights["entry.weight"] + shift
        save_file(weights, path, {"irflow": replace(loaded.card, digest="").to_json()})
        if shift == shift:
            digests.add(load_checkpoint(path).card.digest)
    assert len(digests) == 2
    with pytest.raises(CheckpointError, match="no numbers"):
        load_checkpoint(path)


def test_a_checkpoint_under_another_name_is_still_itself(good: Path, tmp_path: Path) -> None:
    """A renamed checkpoint says in its header what it is for; its name is not believed."""
    path = tmp_path / "denoise.safetensors"
    path.write_bytes(good.read_bytes())
    assert load_checkpoint(path).card.task == "derain"


def test_weights_that_are_no_fractions_are_refused(good: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(good)
    weights = {name: value.contiguous() for name, value in loaded.net.state_dict().items()}
    weights["entry.weight"] = weights["entry.weight"].to(torch.int64)
    path = tmp_path / "whole.safetensors"
    save_file(weights, path, {"irflow": loaded.card.to_json()})
    with pytest.raises(CheckpointError, match=r"entry\.weight"):
        load_checkpoint(path)
