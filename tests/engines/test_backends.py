"""Engines: every one computes what torch does, and what cannot work here is said, remembered or made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import TINY, lively

from irflow_cli.engines.backends import choice, open_engine, store
from irflow_cli.engines.backends.calibration import calibration_set
from irflow_cli.engines.backends.choice import Trial, attempt
from irflow_cli.engines.backends.table import BACKENDS, Loaded
from irflow_cli.errors import UsageError
from irflow_cli.nets import PriorSpec, build
from irflow_cli.runtime.checkpoints import Card, Checkpoint, digest_of
from irflow_cli.tasks import TASKS

CPU = torch.device("cpu")
PRIOR = PriorSpec(width=32, multipliers=(1, 2), blocks=1, attention=(), size=16)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFLOW_CACHE_DIR", str(tmp_path))


def installed(name: str) -> str:
    """Return the name of an engine; skip the test, and say why, where it is not installed."""
    reason = BACKENDS[name].refusal("fp32")
    if reason:
        pytest.skip(f"{name} {reason}")
    return name


def checkpoint(seed: int = 0, **changes: object) -> Checkpoint:
    """Return a checkpoint of random weights that was never in a file."""
    spec = replace(TINY, **changes)
    net = lively(spec, seed)
    task = "prior" if spec.time_map else "denoise"
    return Checkpoint(net, Card(task, spec, TASKS[task].sigma_max, digest=digest_of(net.state_dict())), Path(f"tiny-{task}"))


@pytest.mark.parametrize("changes", [{}, {"condition": True}, {"time_map": True}, {"unshuffle": 2}, {"block": "naf"}], ids=str)
@pytest.mark.parametrize("name", list(BACKENDS))
def test_every_engine_computes_what_torch_does(name: str, changes: dict[str, object]) -> None:
    known = checkpoint(**changes)
    engine = open_engine(known, CPU, installed(name), "fp32")
    assert (engine.name, engine.precision) == (name, "fp32")
    generator = torch.Generator().manual_seed(1)
    for count, height, width in ((1, 24, 40), (2, 21, 33), (2, 21, 33), (2, 21, 33), (1, 3, 5)):  # also sizes off the grid
        x_t, degraded = torch.rand(2, count, 3, height, width, generator=generator)
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        t = torch.rand(count, 1, height, width) if changes.get("time_map") else torch.rand(count)
        before = x_t.clone()
        with torch.no_grad():
            expected, found = known.net(x_t, t, degraded), engine(x_t, t, degraded)
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, atol=1e-4)
        assert torch.equal(x_t, before)
        again = found.clone()
        engine(degraded, t, x_t)
        assert torch.equal(found, again)  # a result is not written over by the next call


@pytest.mark.parametrize(
    ("engine", "precision", "says"),
    [
        ("tensorrt", "auto", "unknown `engine` 'tensorrt'; there are auto, torch, openvino, onnxruntime"),
        ("auto", "fp8", "unknown `precision` 'fp8'; there are auto, fp32, bf16, fp16, int8"),
        ("torch", "int8", "`engine` torch has no int8, only fp32, bf16, fp16"),
        ("onnxruntime", "bf16", "`engine` onnxruntime has no bf16, only fp32"),
    ],
)
def test_what_no_engine_does_is_said_in_one_line(engine: str, precision: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_engine(checkpoint(), CPU, engine, precision)
    assert str(caught.value) == says


@pytest.mark.parametrize(("name", "extra"), [("openvino", "openvino"), ("onnxruntime", "onnx")])
def test_an_engine_that_is_not_installed_says_how_to_get_it(name: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    with pytest.raises(UsageError) as caught:
        open_engine(checkpoint(), CPU, name)
    assert str(caught.value) == f'`engine` {name} is not installed: pip install "irflow[{extra}]"'
    assert open_engine(checkpoint(), CPU, "auto", "fp32").name == "torch"


def test_other_devices_are_for_torch() -> None:
    with pytest.raises(UsageError, match="works on the processor"):
        open_engine(checkpoint(), torch.device("cuda"), "openvino")


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> dict[str, Trial | int]:
    """Return what trials find, by engine and precision, and under "count" how many there were; nothing is timed."""
    found: dict[str, Trial | int] = {"count": 0}

    def look(loaded: Loaded, engine: str, precision: str) -> Trial:
        found["count"] += 1  # type: ignore[operator]
        return found.get(f"{engine} {precision}", Trial(engine, precision, refused="differs"))  # type: ignore[return-value]

    monkeypatch.setattr(choice, "attempt", look)
    for backend in BACKENDS.values():
        monkeypatch.setitem(backend.__dict__, "needs", ())
        monkeypatch.setitem(backend.__dict__, "has_bf16", lambda: True)
        monkeypatch.setitem(backend.__dict__, "open", lambda loaded, precision: loaded.net)
    return found


def test_auto_takes_the_fastest_that_agrees_and_remembers_it(tried: dict[str, Trial | int]) -> None:
    tried["torch bf16"] = Trial("torch", "bf16", 2.0)
    tried["onnxruntime fp32"] = Trial("onnxruntime", "fp32", 1.0)
    tried["openvino fp32"] = Trial("openvino", "fp32", 3.0)  # and its bfloat16 is refused
    first, count = open_engine(checkpoint(), CPU), tried["count"]
    assert (first.name, first.precision) == ("onnxruntime", "fp32")
    assert first.remarks() == ("openvino bf16: differs; using another",)
    assert first.remarks() == ()
    second = open_engine(checkpoint(), CPU)
    assert (second.name, second.remarks(), tried["count"]) == ("onnxruntime", (), count)
    assert [name for name, _ in choice.timings()] == ["tiny-denoise"]
    open_engine(checkpoint(seed=1), CPU)  # another network is looked at anew
    assert tried["count"] == 2 * count  # type: ignore[operator]


def test_an_engine_that_differs_is_replaced_by_torch(tried: dict[str, Trial | int]) -> None:
    engine = open_engine(checkpoint(), CPU, "openvino", "fp32")
    assert (engine.name, engine.precision) == ("torch", "fp32")
    assert engine.remarks() == ("openvino fp32: differs; using another",)


def test_a_trial_finds_what_an_engine_gets_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Loaded(checkpoint())
    right = attempt(known, "torch", "fp32")
    assert right.refused is None
    assert right.difference == 0
    assert right.seconds > 0
    monkeypatch.setitem(
        BACKENDS["torch"].__dict__, "open", lambda loaded, precision: lambda *inputs: 1.01 * loaded.net(*inputs)
    )
    assert attempt(known, "torch", "fp32").refused == "differs from torch in fp32 by 0.01, more than 0.0001"

    def fails(loaded: Loaded, precision: str) -> None:
        raise RuntimeError("no such operation\nin a long story")

    monkeypatch.setitem(BACKENDS["torch"].__dict__, "open", fails)
    assert attempt(known, "torch", "fp32").refused == "does not take this network (no such operation)"


def test_a_network_that_finds_nothing_to_take_out_is_judged_in_grey_levels() -> None:
    known = checkpoint()
    with torch.no_grad():
        known.net.get_submodule("exit").weight.mul_(1e-3)
        known.net.get_submodule("exit").bias.zero_()  # type: ignore[operator]
    call = BACKENDS["torch"].open(Loaded(known), "fp32")
    assert float(call(torch.rand(1, 3, 64, 64), torch.zeros(1), None).square().mean().sqrt()) < 0.02
    found = attempt(Loaded(known), "torch", "bf16")
    assert (found.refused, 0 < found.difference < 0.01) == (None, True)


def test_third_party_networks_run_in_torch_and_it_is_said_once() -> None:
    net = build(PRIOR).eval()
    known = Checkpoint(net, Card("prior", PRIOR, predicts="velocity", digest="0"), Path("theirs"))
    engine = open_engine(known, CPU, installed("onnxruntime"))
    assert (engine.name, engine.precision) == ("torch", "fp32")
    assert [note.partition(":")[0] for note in engine.remarks()] == ["onnxruntime fp32"]
    assert engine.remarks() == ()


def test_gradients_come_from_torch() -> None:
    known = checkpoint()
    engine = open_engine(known, CPU, installed("onnxruntime"))
    x_t = torch.rand(1, 3, 8, 8, requires_grad=True)
    engine(x_t, torch.zeros(1)).sum().backward()
    assert x_t.grad is not None
    assert x_t.grad.abs().sum() > 0


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
    assert open_engine(checkpoint(), CPU, installed("onnxruntime")).name == "onnxruntime"


def test_calibration_pictures_are_those_of_the_task_and_repeatable() -> None:
    known = checkpoint(condition=True)
    first, second = (list(calibration_set(known, count=8)) for _ in range(2))
    assert all(torch.equal(one, other) for pair in zip(first, second, strict=True) for one, other in zip(*pair, strict=True))
    for x_t, t, degraded in first:
        assert x_t.shape == degraded.shape == (1, 3, 128, 128)
        assert 0 <= float(t) < 1
        assert x_t.std() > 0.01
    assert len({float(t) for _, t, _ in first}) > 4


def test_the_time_is_a_model_of_its_own_and_first_layers_stay_exact() -> None:
    installed("openvino")
    import openvino

    from irflow_cli.engines.backends import parts

    known = Loaded(checkpoint(condition=True))
    steering, picture = parts.in_two(parts.read(known.graph()))
    assert [one.get_any_name() for one in steering.inputs] == ["t"]
    assert "t" not in [one.get_any_name() for one in picture.inputs]
    exact = parts.exact_in(picture, known.net.contract.exact)
    convolutions = {one.get_friendly_name() for one in picture.get_ops() if one.get_type_name() == "Convolution"}
    assert {name.rpartition("/Conv")[0] for name in exact & convolutions} == {"/net/entry", "/net/encoder.0.0/first"}
    x, t = torch.rand(2, 3, 16, 16), torch.tensor([0.1, 0.7])
    core, options = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    times = core.compile_model(steering, "CPU", options)([t.numpy()]).to_tuple()
    marked = core.compile_model(parts.kept_exact(picture, known.net.contract.exact), "CPU", options)
    found = torch.from_numpy(marked([x.numpy(), x.numpy(), *times])[0])
    assert torch.allclose(found, known.net(x, t, x), atol=1e-5)


@pytest.mark.parametrize("by_pixel", [False, True])
def test_what_hangs_on_the_size_of_the_picture_is_no_part_of_the_time(by_pixel: bool) -> None:
    installed("openvino")
    import openvino

    from irflow_cli.engines.backends import parts

    known = Loaded(checkpoint(time_map=by_pixel))
    steering, picture = parts.in_two(parts.read(known.graph()))
    core, options = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    x, t = torch.rand(2, 3, 16, 24), torch.rand(2, 1, 16, 24) if by_pixel else torch.tensor([0.1, 0.7])
    given = {"x_t": x.numpy(), "t": t.numpy()}
    if steering is not None:
        assert [one.get_any_name() for one in steering.inputs] == ["t"]
        found = core.compile_model(steering, "CPU", options)([t.numpy()]).to_tuple()
        given |= {parts.steering_input(place): one for place, one in enumerate(found)}
    call = core.compile_model(picture, "CPU", options)
    found = torch.from_numpy(call([given[one.get_any_name()] for one in picture.inputs])[0])
    assert torch.allclose(found, known.net(x, t, None), atol=1e-5)


def test_exact_modules_compute_in_float32_whatever_the_rest_does() -> None:
    known, seen = checkpoint(), {}
    for name in ("entry", "encoder.0.0.first", "encoder.0.0.second", "time"):
        known.net.get_submodule(name).register_forward_hook(lambda *one, name=name: seen.update({name: one[2].dtype}))
    call = BACKENDS["torch"].open(Loaded(known), "bf16")
    assert call(torch.rand(1, 3, 8, 8), torch.zeros(1), None).dtype == torch.float32
    assert seen.pop("encoder.0.0.second") == torch.bfloat16
    assert set(seen.values()) == {torch.float32}


def test_int8_is_close_and_kept() -> None:
    reason = BACKENDS["openvino"].refusal("int8")
    if reason:
        pytest.skip(f"openvino {reason}")
    known = checkpoint(condition=True)
    engine = open_engine(known, CPU, "auto", "int8")
    assert (engine.name, engine.precision) == ("openvino", "int8")
    x_t, t, degraded = next(calibration_set(known))
    with torch.no_grad():
        exact, found = known.net(x_t, t, degraded), engine(x_t, t, degraded)
    assert 0 < float((found - exact).square().mean().sqrt()) < 0.2 * float(exact.square().mean().sqrt())
    assert store.read(f"{engine.loaded.key}.picture8.bin") is not None
