"""Restoration networks: (x_t, t, degraded) -> residual. They know nothing of samplers, grids or files."""

from irflow_cli.nets.spec import SIZES, NetSpec, build
from irflow_cli.nets.unet import UNet

__all__ = ["SIZES", "NetSpec", "UNet", "build"]
