"""The engine that is taken is the fastest that agrees with torch; what cannot work here is said and remembered."""

from __future__ import annotations

import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from loaded import CPU, checkpoint, installed

from irflow_cli.engines.backends import choice, open_engine, store
from irflow_cli.engines.backends.choice import Trial, attempts
from irflow_cli.engines.backends.table import BACKENDS, Loaded
from irflow_cli.errors import UsageError
from irflow_cli.nets import PriorSpec, build
from irflow_cli.runtime.checkpoints import Card, Checkpoint

PRIOR = PriorSpec(width=32, multipliers=(1, 2), blocks=1, attention=(), size=16)


@pytest.mark.parametrize(
    ("engine", "precision", "says"),
    [
        ("tensorrt", "auto", "unknown `engine` 'tensorrt'; there are auto, torch, openvino, onnxruntime"),
        ("auto", "fp8", "unknown `precision` 'fp8'; there are auto, fp32, bf16, fp16, int8"),
        ("torch", "int8", "`engine` torch has no int8, only fp32, bf16, fp16"),
        ("onnxruntime", "bf16", "`engine` onnxruntime has no bf16, only fp32"),
        ("openvino", "fp16", "`engine` openvino has no fp16, only fp32, bf16, int8"),
    ],
)
def test_what_no_engine_does_is_said_in_one_line(engine: str, precision: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_engine(checkpoint(), CPU, engine, precision)
    assert str(caught.value) == says


def test_other_devices_are_for_torch() -> None:
    with pytest.raises(UsageError, match="works on the processor"):
        open_engine(checkpoint(), torch.device("cuda"), "openvino")


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> dict[str, Trial | int]:
    """Return what trials find, by engine and precision, and under "count" how many there were; nothing is timed."""
    found: dict[str, Trial | int] = {"count": 0}

    def look(loaded: Loaded, choices: list[tuple[str, str]]) -> dict[tuple[str, str], Trial]:
        assert choices  # what is known costs nothing
        found["count"] += len(choices)  # type: ignore[operator]
        return {one: found.get(" ".join(one), Trial(*one, 9.0, refused="differs")) for one in choices}  # type: ignore[misc]

    monkeypatch.setattr(choice, "attempts", look)
    for backend in BACKENDS.values():
        for name, value in (("needs", ()), ("has", lambda precision: True), ("open", lambda loaded, precision: loaded.net)):
            monkeypatch.setitem(backend.__dict__, name, value)
    return found


def changed(name: str, monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    """Change entries of an engine."""
    for key, value in values.items():
        monkeypatch.setitem(BACKENDS[name].__dict__, key, value)


def test_auto_takes_the_fastest_that_agrees_and_remembers_it(tried: dict[str, Trial | int]) -> None:
    tried["torch bf16"] = Trial("torch", "bf16", 2.0)
    tried["onnxruntime fp32"] = Trial("onnxruntime", "fp32", 1.0)
    tried["openvino fp32"] = Trial("openvino", "fp32", 3.0)  # and its bfloat16 is refused
    first = open_engine(checkpoint(), CPU)
    assert (first.name, first.precision) == ("onnxruntime", "fp32")
    assert first.remarks() == ("torch fp32, openvino bf16: differs; using onnxruntime fp32",)
    assert first.remarks() == ()
    second, count = open_engine(checkpoint(), CPU), tried["count"]
    assert (second.name, second.remarks(), tried["count"]) == ("onnxruntime", (), count)
    assert choice.tried_before(checkpoint().card)
    assert not choice.tried_before(checkpoint(seed=1).card)
    open_engine(checkpoint(seed=1), CPU).open()  # another network is looked at anew
    assert tried["count"] == 2 * count  # type: ignore[operator]


def test_nothing_is_tried_before_it_is_asked_for(tried: dict[str, Trial | int]) -> None:
    engine = open_engine(checkpoint(), CPU)
    assert engine.contract.predicts == "residual"
    assert tried["count"] == 0
    assert engine.open() == "torch fp32, cpu"
    assert tried["count"]


def test_threads_that_ask_at_once_wait_for_one_choice(tried: dict[str, Trial | int]) -> None:
    engine, met = open_engine(checkpoint(), CPU, "openvino", "fp32"), Barrier(4)
    usual, chosen = engine.choose, list[choice.Choice]()

    def choose() -> choice.Choice:
        chosen.append(usual())
        time.sleep(0.1)
        return chosen[-1]

    engine.choose = choose
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda place: met.wait() >= 0 and engine.remarks(), range(4)))
    assert len(chosen) == 1
    assert sorted(map(len, told)) == [0, 0, 0, 1]  # and it is said once


def test_an_engine_that_differs_is_replaced_by_torch(tried: dict[str, Trial | int]) -> None:
    engine = open_engine(checkpoint(), CPU, "openvino", "fp32")
    assert (engine.name, engine.precision) == ("torch", "fp32")
    assert engine.remarks() == ("openvino fp32: differs; using torch fp32",)
    again = open_engine(checkpoint(), CPU, "openvino", "fp32")
    assert again.remarks() == ("openvino fp32: differs; using torch fp32",)  # for it is not what was asked for


def test_bfloat16_is_taken_where_it_is_faster_only(tried: dict[str, Trial | int]) -> None:
    tried |= {f"torch {name}": Trial("torch", name, seconds) for name, seconds in (("bf16", 17.0), ("fp32", 9.0))}
    assert open_engine(checkpoint(), CPU, "torch").precision == "fp32"
    tried["torch bf16"] = Trial("torch", "bf16", 5.0)
    assert open_engine(checkpoint(seed=1), CPU, "torch").precision == "bf16"


def test_float16_is_torchs_alone(tried: dict[str, Trial | int]) -> None:
    tried["torch fp16"] = Trial("torch", "fp16", 1.0)
    assert open_engine(checkpoint(), CPU, "auto", "fp16").name == "torch"


def test_bfloat16_without_instructions_is_slow_or_an_error(
    tried: dict[str, Trial | int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BACKENDS:
        changed(name, monkeypatch, has=lambda precision: precision == "fp32")
    tried |= {f"torch {name}": Trial("torch", name, 1.0) for name in ("bf16", "fp32")}
    assert open_engine(checkpoint(), CPU, "torch").precision == "fp32"
    asked = open_engine(checkpoint(), CPU, "auto", "bf16")
    assert (asked.name, asked.precision) == ("torch", "bf16")
    assert asked.remarks() == ("torch bf16: finds no instructions for bf16 in this processor; fp32 is faster",)
    with pytest.raises(UsageError, match=r"^`engine` openvino finds no instructions for bf16 .*; use `precision` auto$"):
        open_engine(checkpoint(), CPU, "openvino", "bf16")


def test_what_failed_before_it_was_measured_is_tried_again(tried: dict[str, Trial | int]) -> None:
    tried |= {"torch fp32": Trial("torch", "fp32", 2.0), "openvino fp32": Trial("openvino", "fp32", refused="does not load")}
    assert open_engine(checkpoint(), CPU, "openvino", "fp32").remarks() == ("openvino fp32: does not load; using torch fp32",)
    tried["openvino fp32"] = Trial("openvino", "fp32", 1.0)
    assert open_engine(checkpoint(), CPU, "openvino", "fp32").name == "openvino"


class LibraryError(Exception):
    """What a library raises."""


def test_an_engine_that_fails_after_its_trial_is_replaced_by_the_next(
    tried: dict[str, Trial | int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried |= {f"{name} fp32": Trial(name, "fp32", seconds) for name, seconds in (("openvino", 1.0), ("onnxruntime", 2.0))}
    assert open_engine(checkpoint(), CPU, "auto", "fp32").name == "openvino"

    def fails(loaded: Loaded, precision: str) -> None:
        raise LibraryError("Exception from a/core.cpp:117:\nno room")

    changed("openvino", monkeypatch, open=fails)
    engine = open_engine(checkpoint(), CPU, "auto", "fp32")
    assert engine.name == "onnxruntime"
    assert engine.remarks() == ("openvino fp32: does not take this network (no room); using onnxruntime fp32",)


@pytest.mark.parametrize(
    "stored",
    [
        [1, 2],
        "text",
        {"trials": "abc"},
        {"trials": [{"engine": "torch"}]},
        {"trials": [{"engine": "tensorrt", "precision": "fp32", "seconds": 0.1}]},
        {"trials": [{"engine": "onnxruntime", "precision": "fp4", "seconds": 0.1}]},
        *(
            {"trials": [{"engine": "onnxruntime", "precision": "fp32", "seconds": seconds}]}
            for seconds in ("0.1", math.nan, -5.0, 1e308, 10**400, True)
        ),
        {"trials": [{"engine": "onnxruntime", "precision": "fp32", "seconds": 0.1, "refused": 5}]},
        {"trials": [{"engine": "onnxruntime", "precision": "fp32", "seconds": 0.1, "more": 1}]},
    ],
    ids=str,
)
def test_a_cache_of_another_shape_is_made_again(stored: Any, tried: dict[str, Trial | int]) -> None:
    tried["torch bf16"] = Trial("torch", "bf16", 1.0)
    assert open_engine(checkpoint(), CPU).name == "torch"
    [path] = store.engines_folder().glob("*.json")
    kept = path.read_bytes()
    store.write_json(path.name, stored)
    assert choice.tried_before(checkpoint().card) == []
    assert open_engine(checkpoint(), CPU).name == "torch"
    assert path.read_bytes() == kept
    store.write(path.name, b"{no JSON")
    assert open_engine(checkpoint(), CPU).name == "torch"
    assert path.read_bytes() == kept


def test_instructions_that_are_kept_from_an_engine_or_missing_are_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_bf16", lambda: True)
    usual = choice.machine()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert choice.machine() == f"{usual}, ONEDNN_MAX_CPU_ISA AVX2"
    monkeypatch.setattr(choice, "has_bf16", lambda: False)
    assert choice.machine() == f"{usual.replace('with bfloat16', 'without bfloat16')}, ONEDNN_MAX_CPU_ISA AVX2"


def test_a_trial_finds_what_an_engine_gets_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Loaded(checkpoint())
    one = "torch", "fp32"
    right = attempts(known, [one])[one]
    assert right.refused is None
    assert right.difference == 0
    assert right.seconds > 0
    monkeypatch.setitem(
        BACKENDS["torch"].__dict__, "open", lambda loaded, precision: lambda *inputs: 1.01 * loaded.net(*inputs)
    )
    assert attempts(known, [one])[one].refused == "differs from torch in fp32 by 0.01, more than 0.0001"

    def fails(loaded: Loaded, precision: str) -> None:
        raise RuntimeError("no such operation\nin a long story")

    monkeypatch.setitem(BACKENDS["torch"].__dict__, "open", fails)
    assert attempts(known, [one])[one].refused == "does not take this network (no such operation)"


def test_engines_are_timed_in_turn_and_one_that_breaks_off_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []

    def opened(loaded: Loaded, precision: str):
        def call(*inputs: torch.Tensor) -> torch.Tensor:
            turns.append(precision)
            if precision == "bf16" and turns.count("bf16") == 3:
                raise RuntimeError("no room")
            return loaded.net(*inputs)

        return call

    monkeypatch.setitem(BACKENDS["torch"].__dict__, "open", opened)
    found = attempts(Loaded(checkpoint()), [("torch", "bf16"), ("torch", "fp32")])
    assert turns == 3 * ["bf16", "fp32"] + 3 * ["fp32"]
    assert found["torch", "bf16"].refused == "does not take this network (no room)"
    assert (found["torch", "fp32"].refused, 0 < found["torch", "fp32"].seconds < float("inf")) == (None, True)


def test_a_network_that_finds_nothing_to_take_out_is_judged_in_grey_levels() -> None:
    known = checkpoint()
    with torch.no_grad():
        known.net.get_submodule("exit").weight.mul_(1e-3)
        known.net.get_submodule("exit").bias.zero_()  # type: ignore[operator]
    call = BACKENDS["torch"].open(Loaded(known), "fp32")
    assert float(call(torch.rand(1, 3, 64, 64), torch.zeros(1), None).square().mean().sqrt()) < 0.02
    found = attempts(Loaded(known), [("torch", "bf16")])["torch", "bf16"]
    assert (found.refused, 0 < found.difference < 0.01) == (None, True)


def test_third_party_networks_run_in_torch_and_it_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net = build(PRIOR).eval()
    known = Checkpoint(net, Card("prior", PRIOR, predicts="velocity", digest="0"), Path("theirs"))
    for name in ("auto", installed("onnxruntime")):
        engine = open_engine(known, CPU, name)
        assert (engine.name, engine.precision) == ("torch", "fp32")
        assert engine.remarks() == ("third-party networks are computed by torch",)
        assert engine.remarks() == ()
    assert open_engine(known, CPU, "torch", "bf16").precision == "bf16"
    assert open_engine(known, CPU, "torch").remarks() == ()
    monkeypatch.setattr(choice, "choose_precision", lambda precision, device: "fp16" if precision == "auto" else precision)
    monkeypatch.setattr(choice, "precision_name", str)
    gpu = torch.device("meta")
    asked = {precision: open_engine(known, gpu, precision=precision).precision for precision in ("auto", "bf16")}
    assert asked == {"auto": "fp32", "bf16": "bf16"}


def test_int8_is_refused_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    prior, own = checkpoint(time_map=True), checkpoint()
    theirs = Checkpoint(build(PRIOR).eval(), Card("prior", PRIOR, predicts="velocity", digest="0"), Path("theirs"))
    own = replace(own, card=replace(own.card, task="dehaze"))
    for known, whose in ((prior, "networks of task prior"), (own, "networks of task dehaze"), (theirs, "third-party networks")):
        with pytest.raises(UsageError) as caught:
            open_engine(known, CPU, "auto", "int8")
        assert str(caught.value) == f"`precision` int8 does not go with {whose}; use `precision` auto"


@pytest.mark.parametrize(
    ("times", "rounds"),
    [
        ({"torch bf16": 2.0, "torch fp32": 4.0}, {"torch bf16": choice.ROUNDS, "torch fp32": choice.ROUNDS}),
        ({"torch bf16": 2.0, "torch fp32": 2.2}, dict.fromkeys(("torch bf16", "torch fp32"), choice.ROUNDS + choice.MORE)),
        ({"torch bf16": 99.0, "torch fp32": 2.0}, {"torch bf16": 1, "torch fp32": choice.ROUNDS}),
        ({"torch bf16": 2.0, "torch fp32": 2.3}, dict.fromkeys(("torch bf16", "torch fp32"), choice.ENOUGH)),
    ],
)
def test_close_engines_are_timed_for_longer_and_hopeless_ones_once_and_none_for_too_long(
    times: dict[str, float], rounds: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "PATIENCE", 0.0 if choice.ENOUGH in rounds.values() else 1e6)
    seen: Counter[str] = Counter()

    def opened(loaded: Loaded, precision: str) -> Any:
        call = lambda *tile: loaded.net(*tile)  # noqa: E731
        names[call] = f"torch {precision}"
        return call

    def seconds(call: Any, tile: object) -> float:
        seen[names[call]] += 1
        return times[names[call]]

    names: dict[Any, str] = {}
    changed("torch", monkeypatch, open=opened)
    monkeypatch.setattr(choice, "_seconds", seconds)
    attempts(Loaded(checkpoint(), CPU), [("torch", "bf16"), ("torch", "fp32")])
    assert dict(seen) == rounds
