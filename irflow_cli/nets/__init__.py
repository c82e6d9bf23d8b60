"""Restoration networks: (x_t, t, degraded) -> residual, or velocity. They know nothing of samplers, grids or files."""

from irflow_cli.nets.spec import SIZES, NetSpec, Network, OfficialSpec, PriorSpec, Spec, build, spec_of
from irflow_cli.nets.third_party import PriorUNet
from irflow_cli.nets.unet import UNet

__all__ = ["SIZES", "NetSpec", "Network", "OfficialSpec", "PriorSpec", "PriorUNet", "Spec", "UNet", "build", "spec_of"]
