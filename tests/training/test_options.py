"""What a request may not be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest

from irflow_cli.errors import CheckpointError, UsageError
from irflow_cli.nets import SIZES, alone
from irflow_cli.runtime.places import shipped_folder
from irflow_cli.training.loop import spec_of_run, train
from irflow_cli.training.options import TrainRequest, check, options_of_run, recipe_of, request_of, unlike

SHIPPED = sorted(path.stem for path in shipped_folder().glob("*.safetensors"))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"task": "paint"}, "unknown `task`"),
        ({"iterations": None}, "`minutes`"),
        ({"minutes": 0.0}, "`minutes`"),
        ({"iterations": 0}, "`iterations`"),
        ({"batch": 0}, "`batch`"),
        ({"decay": 1.5}, "`decay`"),
        ({"rate": float("inf")}, "`rate` must be above 0, and no infinity"),
        ({"consistency": float("inf")}, "`consistency` must be 0 or more, and no infinity"),
        ({"warmup": -5}, "`warmup` must be 0 or more"),
        ({"rain_layers": Path()}, "`rain_layers` lie over clean pictures of `task` derain or all-in-one"),
        ({"task": "derain", "rain_layers": Path("none")}, "`rain_layers` none is no folder; give one"),
        ({"crop": 512}, "`crop`"),
        ({"distance": "huber"}, "`distance`"),
        ({"optimiser": "sgd"}, "`optimiser`"),
        ({"size": "huge"}, "`size`"),
        ({"precision": "fp16"}, "`precision`"),
        ({"data": Path("none")}, "no folder"),
        ({"known": 0.5}, "`known` is of a prior"),
        ({"task": "prior", "known": 1.5}, "`known` is a share"),
        ({"guessed": 0.5}, "`guessed` is of a prior"),
        ({"task": "prior", "guessed": 1.5}, "`guessed` is a share"),
        ({"task": "prior", "known": 0.0, "guessed": 0.5}, "`guessed` has no meaning where `known` is 0"),
        ({"consistency": 0.0, "consistency_every": 4}, "`consistency_every` has no meaning where"),
        ({"task": "prior", "consistency_every": 4}, "no meaning for a prior"),
        ({"task": "prior", "consistency_every": 16, "at_start": 0.5}, "no meaning for a prior"),
    ],
)
def test_requests_that_make_no_sense_are_refused(request_: TrainRequest, change: dict, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        train(replace(request_, **change))
    assert not request_.out.exists()


def test_rain_layers_lie_over_no_pairs(request_: TrainRequest, pairs: Path) -> None:
    with pytest.raises(UsageError, match="over no pairs; leave them out"):
        train(replace(request_, data=pairs, task="derain", rain_layers=pairs / "clean"))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recipe_of_a_shipped_network_builds_the_same_network(name: str, photographs: Path, tmp_path: Path) -> None:
    card = recipe_of(name)
    usual = {field.name: field.default for field in fields(TrainRequest) if field.default is not MISSING}
    said = {"data": photographs, "out": tmp_path / "run", "minutes": 1.0}
    request = request_of(usual | said, {*said}, *options_of_run(None, card))
    check(request)
    assert spec_of_run(request, None) == alone(card.spec)
    assert {key: value for key, value in card.trained["recipe"].items() if getattr(request, key, value) != value} == {
        "minutes": card.trained["recipe"]["minutes"]
    }
    words = unlike(card, request)
    assert any("`init`" in line for line in words)
    assert any("`rain_layers`" in line for line in words) == (name == "derain")
    small = request_of(usual | said | {"size": "small"}, {*said, "size"}, *options_of_run(None, card))
    assert spec_of_run(small, None).widths == SIZES["small"].widths


def test_a_checkpoint_that_does_not_say_how_it_was_trained_is_no_recipe(tiny_checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(CheckpointError, match="does not say how it was trained; give another `recipe`"):
        recipe_of(str(tiny_checkpoint("derain")))


def test_a_recipe_of_another_task_brings_no_network(photographs: Path, tmp_path: Path) -> None:
    usual = {field.name: field.default for field in fields(TrainRequest) if field.default is not MISSING}
    said = {"data": photographs, "out": tmp_path / "run", "minutes": 1.0, "task": "denoise"}
    assert request_of(usual | said, {*said}, *options_of_run(None, recipe_of("prior"))).spec is None
    assert request_of(usual | said, {*said}, *options_of_run(None, recipe_of("denoise"))).spec == recipe_of("denoise").spec
