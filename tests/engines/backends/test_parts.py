"""A graph in two: what hangs on the time alone, and the rest."""

from __future__ import annotations

import pytest
import torch
from loaded import checkpoint, installed

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
    if steering is not None:
        assert [one.get_any_name() for one in steering.inputs] == ["t"]
        found = core.compile_model(steering, "CPU", options)([t.numpy()]).to_tuple()
        given |= {parts.steering_input(place): one for place, one in enumerate(found)}
    call = core.compile_model(picture, "CPU", options)
    found = torch.from_numpy(call([given[one.get_any_name()] for one in picture.inputs])[0])
    assert torch.allclose(found, known.net(x, t, None), atol=1e-5)
