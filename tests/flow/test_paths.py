"""The two ends of a path and what lies between."""

from __future__ import annotations

import torch

from irflow_cli.flow.paths import bridge, clean_from_velocity, interpolate, velocity_from_residual

X_0 = torch.linspace(0, 1, 48, dtype=torch.float64).reshape(2, 2, 3, 4)


X_1 = X_0.flip(3) * 0.7 + 0.1


def test_paths_agree_with_each_other() -> None:
    t = torch.tensor([0.2, 0.6], dtype=torch.float64)
    x_t = interpolate(X_0, X_1, t)
    assert torch.allclose(bridge(X_0, 0.0, X_1, t), x_t)
    assert torch.allclose(bridge(interpolate(X_0, X_1, 0.1), 0.1, X_1, t), x_t)
    assert torch.allclose(clean_from_velocity(x_t, velocity_from_residual(x_t - X_1, t), t), X_1)
    assert torch.equal(interpolate(X_0, X_1, 0.0), X_0)
