"""A graph in two: what hangs on the time alone, and the rest."""

from __future__ import annotations

import pytest
import torch
from loaded import checkpoint, installed

from irflow_cli.engines.backends.openvino import capabilities
from irflow_cli.engines.backends.table import Loaded


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
    assert [one.get_any_name() for one in steering.inputs] == ["t"]
    assert "MatMul" not in [one.get_type_name() for one in picture.get_ops()]  # all of that is the time's
    found = core.compile_model(steering, "CPU", options)([t.numpy()]).to_tuple()
    given |= {parts.steering_input(place): one for place, one in enumerate(found)}
    call = core.compile_model(picture, "CPU", options)
    found = torch.from_numpy(call([given[one.get_any_name()] for one in picture.inputs])[0])
    assert torch.allclose(found, known.net(x, t, None), atol=1e-5)


def test_a_picture_reaches_the_first_layer_with_all_its_bits() -> None:
    installed("openvino")
    import openvino

    from irflow_cli.engines.backends import parts

    if "BF16" not in capabilities():
        pytest.skip("this processor has no bfloat16 instructions")
    known = Loaded(checkpoint())
    _, picture = parts.in_two(parts.read(known.graph()))
    ready = parts.kept_exact(parts.channels_last(picture), known.net.contract.exact)
    entry = next(one for one in ready.get_ops() if one.get_friendly_name() == "/net/entry/Conv")
    inputs = [one for one in ready.get_parameters() if one.get_friendly_name() == "x_t"]
    call = openvino.Core().compile_model(
        parts.MODEL([entry.output(0)], inputs, "first"), "CPU", {"INFERENCE_PRECISION_HINT": "bf16"}
    )
    x = 1 - torch.rand(1, 3, 16, 16) / 256  # within one step of bfloat16
    found = torch.from_numpy(call([x.permute(0, 2, 3, 1).contiguous().numpy()])[0])
    with torch.no_grad():
        expected = known.net.get_submodule("entry")(x)
    assert torch.allclose(found, expected, atol=2e-5)


def test_weights_in_bfloat16_keep_the_sums_of_their_kernels() -> None:
    installed("openvino")
    from irflow_cli.engines.backends import parts

    weights = torch.randn(8, 6, 3, 3, generator=torch.Generator().manual_seed(0))
    found, nearest = torch.from_numpy(parts.keeping_sums(weights.numpy())), weights.bfloat16().float()
    assert torch.equal(found, found.bfloat16().float())
    assert (found - weights).abs().max() < 2**-6 * weights.abs().max()

    def moved(one: torch.Tensor) -> float:
        return float((one - weights).sum((2, 3)).square().mean().sqrt())

    assert moved(found) < 0.2 * moved(nearest)


def test_layers_that_stay_exact_keep_their_weights() -> None:
    installed("openvino")
    from irflow_cli.engines.backends import parts

    known = Loaded(checkpoint())
    _, picture = parts.in_two(parts.read(known.graph()))
    before = picture.clone()

    def weights(model: parts.Model) -> dict[str, torch.Tensor]:
        layers = [one for one in model.get_ops() if one.get_type_name() == "Convolution"]
        return {one.get_friendly_name(): torch.tensor(one.input_value(1).get_node().data) for one in layers}

    first, then = weights(before), weights(parts.rounded(picture, known.net.contract.exact))
    same = {name.rpartition("/Conv")[0] for name in first if torch.equal(first[name], then[name])}
    assert same == {"/net/entry", "/net/encoder.0.0/first"}
    assert all(torch.equal(one, weights(picture)[name]) for name, one in first.items())
