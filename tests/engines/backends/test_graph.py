"""A network as a graph, and what a graph is given."""

from __future__ import annotations

import pytest
import torch
from loaded import checkpoint

from irflow_cli.engines.backends.graph import example, input_names, padded, trace


@pytest.mark.parametrize("changes", [{}, {"condition": True}, {"time_map": True}], ids=str)
def test_a_graph_is_given_inputs_by_name_on_the_grid_of_the_network(changes: dict[str, object]) -> None:
    net = checkpoint(**changes).net
    names, inputs = input_names(net), example(net, side=9)
    assert len(names) == len(inputs)
    given = dict(zip(names, padded(inputs[0], inputs[1], inputs[2] if "degraded" in names else None, net), strict=True))
    assert {one.shape[-1] for name, one in given.items() if one.ndim == 4} == {10}
    assert given["t"].ndim == (4 if "time_map" in changes else 1)
    assert ("degraded" in given) == ("condition" in changes)


def test_tracing_leaves_the_network_as_it_is() -> None:
    net = checkpoint().net
    before = {name: one.clone() for name, one in net.state_dict().items()}
    assert trace(net) == trace(net)
    assert all(torch.equal(one, before[name]) for name, one in net.state_dict().items())
    assert net.get_parameter("entry.weight").is_contiguous(memory_format=torch.channels_last)
