"""Networks: (x_t, t, degraded) -> what their contract says. They know nothing of samplers, grids or files."""

from irflow_cli.nets.contract import Contract, Network, Spec
from irflow_cli.nets.flow_prior import PriorSpec
from irflow_cli.nets.official import OfficialSpec
from irflow_cli.nets.table import NETS, SIZES, alone, build, spec_of
from irflow_cli.nets.unet import NetSpec, UNet

__all__ = ["NETS", "SIZES", "Contract", "NetSpec", "Network", "OfficialSpec", "PriorSpec", "Spec"]
__all__ += ["UNet", "alone", "build", "spec_of"]
