"""What a network says of itself, and a spec of what is wrong with it."""

from __future__ import annotations

import pytest
import torch

from irflow_cli.nets import SIZES, Contract, OfficialSpec, PriorSpec, Spec, spec_of


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"net": "transformer"}, "net"),
        ({"block": "unknown"}, "block"),
        ({"widths": [8], "depths": [1, 1]}, "widths"),
        ({"unshuffle": 0}, "sizes"),
        ({"widths": [10**9], "depths": [1]}, "sizes"),
        ({"condition": 1}, "condition"),
        ({"embedding": 7}, "embedding"),
        ({"extra": 1}, "expected"),
    ],
)
def test_a_spec_out_of_range_names_what_is_wrong(change: dict[str, object], match: str) -> None:
    values = SIZES["base"].to_dict()
    assert spec_of(values) == SIZES["base"]
    with pytest.raises(ValueError, match=match):
        spec_of({**values, **change})


@pytest.mark.parametrize(
    ("spec", "change", "match"),
    [
        (OfficialSpec(), {"width": 7}, "width"),
        (OfficialSpec(), {"width": 2}, "width"),
        (OfficialSpec(), {"depth": 7}, "depth"),
        (OfficialSpec(), {"order": "gbr"}, "order"),
        (OfficialSpec(), {"net": "unet"}, "expected"),
        (PriorSpec(), {"width": 48}, "width"),
        (PriorSpec(), {"multipliers": [1] * 7}, "multipliers"),
        (PriorSpec(), {"blocks": 0}, "blocks"),
        (PriorSpec(), {"attention": [4]}, "attention"),
        (PriorSpec(), {"size": 4}, "size"),
    ],
)
def test_a_third_party_spec_out_of_range_names_what_is_wrong(spec: Spec, change: dict[str, object], match: str) -> None:
    assert spec_of(spec.to_dict()) == spec
    with pytest.raises(ValueError, match=match):
        spec_of({**spec.to_dict(), **change})
    assert type(spec).from_dict(spec.to_dict()) == spec
    with pytest.raises(ValueError, match="net"):
        type(spec).from_dict({**spec.to_dict(), "net": "transformer"})


@pytest.mark.parametrize(("size", "mode"), [((9, 14), "mirrored"), ((2, 1), "repeated")])
def test_sides_are_made_multiples(size: tuple[int, int], mode: str) -> None:
    image = torch.rand(1, 3, *size)
    padded = Contract("residual", multiple=8).padded(image)
    height, width = size
    assert [side % 8 for side in padded.shape[-2:]] == [0, 0]
    assert torch.equal(padded[..., :height, :width], image)
    beyond = image[..., -2, :] if mode == "mirrored" else image[..., -1, :]
    assert torch.equal(padded[..., height, :width], beyond)
    assert Contract("residual", multiple=1).padded(image) is image
