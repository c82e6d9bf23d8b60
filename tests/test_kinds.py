"""Values of another kind are refused by the names of their settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields, replace
from pathlib import Path

import numpy as np
import pytest

import irflow_cli
from irflow_cli.engines.settings import RestoreSettings, SamplerSettings
from irflow_cli.errors import IrflowError, UsageError
from irflow_cli.training.options import TrainRequest, check

STRANGE = {
    "nothing": None,
    "a part": 1.5,
    "a text": "some",
    "bytes": b"some",
    "an empty list": [],
    "a list": [1, 2],
    "a dictionary": {"a": 1},
    "an object": object(),
    "an array": np.array([1, 2]),
    "no number": float("nan"),
    "endless": float("inf"),
    "truth": True,
    "complex": 1j,
    "huge": 10**30,
    "negative": -1,
    "whole of numpy": np.int64(2),
    "part of numpy": np.float32(0.5),
}


OPTIONS = [  # function, field, its kind
    *(("restore", one.name, str(one.type)) for one in fields(RestoreSettings)),
    *(("inpaint", one.name, str(one.type)) for one in fields(SamplerSettings)),
    *(("inpaint", name, "int") for name in ("dilate", "feather")),
    *(("upscale", one.name, str(one.type)) for one in fields(SamplerSettings)),
    ("upscale", "scale", "int"),
    ("upscale", "operator", "str"),
    *((name, "range", "pair | None") for name in ("restore", "inpaint", "upscale")),
]


FITTING = {
    "int": {"huge", "negative", "whole of numpy"},
    "float": {"a part", "no number", "endless", "huge", "negative", "whole of numpy", "part of numpy"},
    "bool": {"truth"},
    "str": {"a text"},
    "None": {"nothing"},
    "pair": {"a list", "an array"},
}


@pytest.mark.parametrize(("function", "field", "kind"), OPTIONS)
@pytest.mark.parametrize("strange", STRANGE)
def test_a_value_of_another_kind_is_refused_by_its_name(
    function: str, field: str, kind: str, strange: str, tiny_checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def done(*given: object) -> None:
        raise IrflowError("a value that fits")

    for engine in ("restorer.Restorer.restore", "inpainter.Inpainter.fill", "upscaler.Upscaler.enlarge"):
        monkeypatch.setattr(f"irflow_cli.engines.{engine}", done)
    picture = np.zeros((8, 8), np.float32)
    given = (picture, np.eye(8, dtype=bool)) if function == "inpaint" else (picture,)
    network = str(tiny_checkpoint("denoise" if function == "restore" else "prior"))
    settings = ({"task": "denoise"} if function == "restore" else {}) | {"checkpoint": network, field: STRANGE[strange]}
    if strange in set().union(*(FITTING[one] for one in kind.split(" | "))):
        with pytest.raises(IrflowError):  # what is of its kind may be too much, or unknown
            getattr(irflow_cli, function)(*given, **settings)
        return
    with pytest.raises(UsageError, match=field) as caught:
        getattr(irflow_cli, function)(*given, **settings)
    assert caught.value.field == field


def of_another_kind() -> Iterator[tuple[Field, str]]:
    """Yield the settings of a training, each with the values that are not of its kind."""
    for field in fields(TrainRequest):
        kinds = str(field.type).split(" | ")
        if set(kinds) <= FITTING.keys():
            yield from ((field, strange) for strange in STRANGE if not any(strange in FITTING[kind] for kind in kinds))


@pytest.mark.parametrize(("field", "strange"), list(of_another_kind()))
def test_a_training_is_asked_for_in_values_of_its_kinds(field: Field, strange: str, tmp_path: Path) -> None:
    request = TrainRequest(tmp_path, tmp_path / "run", "denoise", minutes=1)
    with pytest.raises(UsageError) as caught:
        check(replace(request, **{field.name: STRANGE[strange]}))
    assert caught.value.field == field.name
