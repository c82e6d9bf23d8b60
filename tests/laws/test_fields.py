"""Laws of errors from Python: each option that makes no sense is named as the error's field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

import irflow_cli
from irflow_cli.api import RestoreOptions, SamplerOptions
from irflow_cli.errors import IrflowError

PICTURE, MASK = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool)
COMPUTED = [{"engine": "zz"}, {"precision": "zz"}, {"device": "zz"}, {"device": "meta"}, {"device": "cuda:99"}]
SAMPLED = [
    {"sampler": "zz"},
    {"steps": 0},
    {"sigma": -1},
    {"foo": 1},
    {"range": (1, 0)},
    {"engine": "torch", "precision": "int8"},
]
WRONG: dict[str, list[dict[str, Any]]] = {
    "restore": [
        *({"task": name} for name in ("nope", "prior", "dehaze")),
        *({name: -1} for name in ("strength", "tile", "overlap", "batch")),
        *({"method": "zz"}, {"grid": "zz"}, {"texture": True}),
    ],
    "inpaint": [
        *({"preset": "zz"}, {"preset": "best"}, {"mask": ~MASK}, {"mask": MASK[:5]}, {"mask": PICTURE}),
        *({"mask": Image.new("RGB", (8, 8), "red")}, {"mask": Image.new("F", (8, 8))}),
        *({name: -1} for name in ("corrections", "start", "stop", "dilate", "feather")),
    ],
    "upscale": [{"preset": "varied"}, {"preset": "best"}, {"operator": "zz"}, {"scale": 7}],
}
CASES = [(function, wrong) for function, own in WRONG.items() for wrong in [*COMPUTED, *SAMPLED, *own]]


def fault(function: str, wrong: dict[str, Any]) -> IrflowError:
    """Return the error of a call with a wrong option."""
    usual = {"restore": {"task": "denoise" if "sigma" in wrong else "derain"}, "inpaint": {"mask": MASK}, "upscale": {}}[
        function
    ]
    with pytest.raises(IrflowError) as caught:
        getattr(irflow_cli, function)(PICTURE, **{**usual, **wrong})
    return caught.value


@pytest.mark.parametrize(("function", "wrong"), CASES, ids=lambda part: part if isinstance(part, str) else ",".join(part))
def test_an_option_that_makes_no_sense_is_the_field_of_its_error(function: str, wrong: dict[str, Any]) -> None:
    error = fault(function, wrong)
    assert (error.field, "\n" in str(error), "--" in str(error)) == (next(iter(wrong)), False, False)


def test_every_option_but_those_that_cannot_be_wrong_is_in_the_table() -> None:
    tried = {name for _, wrong in CASES for name in wrong}
    assert {*RestoreOptions.__annotations__, *SamplerOptions.__annotations__} - tried == {"ensemble", "seed", "weight"}


@pytest.mark.parametrize("function", WRONG)
def test_an_unknown_option_is_told_with_the_function_and_those_there_are(function: str) -> None:
    said = str(fault(function, {"foo": 1}))
    assert said.startswith(f"`foo` is no option of {function} and ")
    assert " seed" in said
