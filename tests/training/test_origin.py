"""A card says what its run began as, whose licence and pictures it has, also after the run was resumed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from irflow_cli.runtime.checkpoints import Card, load_checkpoint, open_weights, read_card, save_checkpoint
from irflow_cli.training.loop import train
from irflow_cli.training.options import LAST, STATE, TrainRequest


def test_a_card_tells_where_its_run_began(request_: TrainRequest, tmp_path: Path) -> None:
    first = train(replace(request_, iterations=3))
    parent = load_checkpoint(first.checkpoint).card
    second = train(replace(request_, iterations=3, out=tmp_path / "second", init=str(first.checkpoint)))
    trained = load_checkpoint(second.checkpoint).card.trained
    assert (trained["started_from"], trained["minutes_before"]) == (parent.digest, parent.minutes)
    train(replace(request_, iterations=6, out=tmp_path / "second", resume=True))  # nobody says where it began
    with open_weights(tmp_path / "second" / STATE) as file:
        resumed = Card.from_json(file.metadata()["irflow"]).trained
    assert (resumed["iterations"], resumed["started_from"], resumed["minutes_before"]) == (6, parent.digest, parent.minutes)
    assert replace(parent, trained={"minutes": 2.5, "minutes_before": 4}).minutes == 6.5


def test_weights_that_began_as_others_keep_their_licence_and_pictures(request_: TrainRequest, tmp_path: Path) -> None:
    first = train(replace(request_, iterations=3))
    card = load_checkpoint(first.checkpoint).card
    assert ("Apache" in card.licence, "does not know" in card.licence, "sources" in card.trained) == (False, True, False)
    card = replace(card, licence="free; some for non-commercial research alone")
    card.trained.update(pictures="9 photographs of BSDS500", sources={"bsds": 9})
    save_checkpoint(tmp_path / "parent.safetensors", load_checkpoint(first.checkpoint).net.state_dict(), card)
    second = replace(request_, iterations=3, out=tmp_path / "second", init=str(tmp_path / "parent.safetensors"))
    found = load_checkpoint(train(second).checkpoint).card
    assert (found.licence, found.trained["sources"]) == (card.licence, {"bsds": 9})
    assert found.trained["pictures"] == "9 photographs of BSDS500; then those of " + request_.data.name


def test_a_run_that_goes_on_with_other_pictures_names_both(request_: TrainRequest, tmp_path: Path) -> None:
    train(request_)
    shutil.copytree(request_.data, tmp_path / "others")
    train(replace(request_, data=tmp_path / "others", iterations=request_.iterations + 1, resume=True))
    told = read_card(request_.out / LAST).trained
    assert (told["data"], told["pictures"]) == ("others", f"those of {request_.data.name}; then those of others")
