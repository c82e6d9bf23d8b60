"""Guided samplers: trajectories along a prior's velocity field that end in a picture which agrees with an observation.

Like the samplers of `flow.samplers` they see callables and times only. A field knows t as (), (B,) or, for `pixelwise`, as
(B, 1, H, W). All are affine in the range of values: a prior on [-1, 1] with standard normal noise and one on [0, 1] with noise
of mean and deviation a half give the same pictures. All take noise in what is observed, `Observation.sigma`; without it their
ends agree with the observation.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from irflow_cli.flow.guided.descending import d_flow, flow_priors, ot_ode
from irflow_cli.flow.guided.guidance import Guidance
from irflow_cli.flow.guided.projecting import bridge_flow, half_quadratic, pixelwise, pnp_flow
from irflow_cli.flow.guided.replacing import ddnm, denoising_rule, repaint, replacement, restora_flow
from irflow_cli.flow.samplers import Trajectory, Velocity

__all__ = ["CORRECTED", "DIFFERENTIATED", "GUIDED", "WEIGHTED", "Guidance"]

GUIDED: dict[str, Callable[[Velocity, Tensor, Tensor, Guidance], Trajectory]] = {
    "pixelwise": pixelwise,
    "restora": restora_flow,
    "restora-denoise": denoising_rule,
    "replacement": replacement,
    "repaint": repaint,
    "ddnm": ddnm,
    "bridge": bridge_flow,
    "pnp": pnp_flow,
    "hqs": half_quadratic,
    "ot-ode": ot_ode,
    "flow-priors": flow_priors,
    "d-flow": d_flow,
}
CORRECTED = ("restora", "repaint", "ddnm", "pnp", "flow-priors", "d-flow")  # those for which `corrections` means something
WEIGHTED = ("ddnm", "bridge", "pnp", "ot-ode", "flow-priors", "d-flow")  # and those for which `weight` does
DIFFERENTIATED = ("ot-ode", "flow-priors", "d-flow")  # those that take gradients through the field
