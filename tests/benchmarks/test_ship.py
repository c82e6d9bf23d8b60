"""What a card says of training pictures comes from the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import ship
from drawn import TINY, lively, save, scene

from irflow_cli.runtime.checkpoints import Card, read_card, save_checkpoint
from irflow_cli.training import origin


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that checkpoints ship in, with a network for noise whose card does not count its sources."""
    monkeypatch.setattr(ship, "WEIGHTS", tmp_path / "weights")
    (tmp_path / "weights").mkdir()
    save_checkpoint(tmp_path / "weights" / "denoise.safetensors", lively(TINY).state_dict(), Card("denoise", TINY, 55.0))
    return tmp_path / "weights"


def run(tmp_path: Path, **trained: object) -> str:
    """Return a run's checkpoint."""
    path = tmp_path / "best.safetensors"
    card = replace(Card("derain", TINY, None), trained=trained, licence=origin.LICENCE)
    save_checkpoint(path, lively(TINY, 1).state_dict(), card)
    return str(path)


def test_a_network_from_nothing_names_the_pictures_it_has_seen_and_no_others(shipped: Path, tmp_path: Path) -> None:
    for name in ("cq100/a.png", "photos/b.png", "photos/deep/c.png"):
        save(tmp_path / "train" / name, scene(8, 8))
    ship.ship("derain", run(tmp_path), tmp_path / "train", None, None)
    card = read_card(shipped / "derain.safetensors")
    assert card.trained["sources"] == {"cq100": 1, "photos": 2}
    assert card.trained["pictures"].startswith("3 photographs: 1 of CQ100")
    assert ("BSDS" in card.trained["pictures"], card.licence) == (False, "Apache-2.0")
    assert "3 photographs" in ship.manifest()


def test_a_network_that_began_as_another_has_seen_the_others_pictures(shipped: Path, tmp_path: Path) -> None:
    save(tmp_path / "train" / "photos" / "b.png", scene(8, 8))
    source = run(tmp_path, started_from=read_card(shipped / "denoise.safetensors").digest)
    ship.ship("derain", source, tmp_path / "train", None, 3.0)
    card = read_card(shipped / "derain.safetensors")
    assert card.trained["sources"] == ship.BEFORE
    assert ("BSDS500" in card.trained["pictures"], "non-commercial" in card.licence) == (True, True)
    third = replace(card, trained={"started_from": card.digest, "sources": {"photos": 500}}, licence=card.licence)
    save_checkpoint(tmp_path / "best.safetensors", lively(TINY, 2).state_dict(), third)  # it did not ship
    ship.ship("derain", str(tmp_path / "best.safetensors"), tmp_path / "train", None, None)
    assert read_card(shipped / "derain.safetensors").licence == f"Apache-2.0{ship.NOT_AS_FREE}"  # once
    fourth = run(tmp_path, started_from=read_card(tmp_path / "best.safetensors").digest)
    save_checkpoint(tmp_path / "between.safetensors", lively(TINY, 2).state_dict(), third)
    ship.ship("derain", fourth, tmp_path / "train", tmp_path / "between.safetensors", None)
    assert read_card(shipped / "derain.safetensors").trained["sources"] == ship.BEFORE | {"photos": 500}
    again = run(tmp_path, started_from="gone")
    with pytest.raises(SystemExit, match="give --parent"):
        ship.ship("derain", again, tmp_path / "train", None, None)


def test_pictures_of_unknown_origin_do_not_ship(shipped: Path, tmp_path: Path) -> None:
    save(tmp_path / "train" / "found" / "b.png", scene(8, 8))
    with pytest.raises(SystemExit, match="found; say in SOURCES"):
        ship.ship("derain", run(tmp_path), tmp_path / "train", None, None)
