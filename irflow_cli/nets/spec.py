"""A network as data: what a checkpoint's header holds, and how a module is made from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, overload

from irflow_cli.nets.blocks import BLOCKS
from irflow_cli.nets.third_party import OfficialUNet, PriorUNet
from irflow_cli.nets.unet import UNet

if TYPE_CHECKING:
    from typing_extensions import Self

LATER = {"time_map"}  # entries that checkpoints of before they were thought of do not have, and are False there
Network = UNet | OfficialUNet | PriorUNet


@dataclass(frozen=True)
class Spec:
    """All that determines a network's shape; `net` says which one it is. `to_dict` and `from_dict` are each other's inverse."""

    net: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values. Entries of LATER are left out where they are False, so that older versions can read it."""
        values = {key: value for key, value in asdict(self).items() if value or key not in LATER}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the spec of JSON values. Raises ValueError naming the entry that is unknown, missing or out of range."""
        known = {field.name: field for field in fields(cls)}
        values = {**dict.fromkeys(LATER & set(known), False), **values}
        if set(values) != set(known):
            raise ValueError(f"network spec has {sorted(values)}, expected {sorted(known)}")
        plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        spec = cls(**plain)
        spec.check()
        return spec

    def check(self) -> None:
        """Raise ValueError unless every entry is of its type and within sane limits."""
        rules = {"net": NETS[self.net][0] is type(self) if self.net in NETS else False, **self.rules()}
        broken = [name for name, holds in rules.items() if not holds]
        if broken:
            raise ValueError(f"network spec is out of range in {', '.join(broken)}")

    def rules(self) -> dict[str, bool]:
        """Return, by the name of an entry or of several, whether it is as it should be."""
        return {}


@dataclass(frozen=True)
class NetSpec(Spec):
    """The shape of irflow's own U-Net."""

    net: str = "unet"
    channels: int = 3
    widths: tuple[int, ...] = (16, 32, 64, 128)
    depths: tuple[int, ...] = (2, 2, 4, 4)
    unshuffle: int = 1
    block: str = "conv"
    condition: bool = False
    time_map: bool = False
    embedding: int = 64

    def rules(self) -> dict[str, bool]:
        sizes = (*self.widths, *self.depths, self.channels, self.unshuffle, self.embedding)
        return {
            "block": self.block in BLOCKS,
            "widths": 1 <= len(self.widths) <= 6 and len(self.widths) == len(self.depths),
            "sizes": _within(sizes, 1, 1024),
            "condition": isinstance(self.condition, bool),
            "time_map": isinstance(self.time_map, bool),
            "embedding": isinstance(self.embedding, int) and self.embedding % 2 == 0,
        }


@dataclass(frozen=True)
class OfficialSpec(Spec):
    """The shape of IR-Flow's published network (see `OfficialUNet`)."""

    net: str = "irflow-official"
    width: int = 64
    depth: int = 4
    order: str = "bgr"

    def rules(self) -> dict[str, bool]:
        return {
            "width": _within((self.width,), 4, 512) and self.width % 2 == 0,
            "depth": _within((self.depth,), 1, 6),
            "order": self.order in ("bgr", "rgb"),
        }


@dataclass(frozen=True)
class PriorSpec(Spec):
    """The shape of the flow prior of PnP-Flow and Restora-Flow (see `PriorUNet`)."""

    net: str = "flow-prior"
    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 4, 8)
    blocks: int = 6
    attention: tuple[int, ...] = (3,)
    size: int = 128

    def rules(self) -> dict[str, bool]:
        levels = len(self.multipliers)
        return {
            "width": _within((self.width,), 32, 512) and self.width % 32 == 0,
            "multipliers": 1 <= levels <= 6 and _within(self.multipliers, 1, 32),
            "blocks": _within((self.blocks,), 1, 32),
            "attention": not self.attention or _within(self.attention, 0, levels - 1),
            "size": _within((self.size,), 2 ** (levels - 1), 4096),
        }


NETS: dict[str, tuple[type[Spec], type[Network]]] = {
    "unet": (NetSpec, UNet),
    "irflow-official": (OfficialSpec, OfficialUNet),
    "flow-prior": (PriorSpec, PriorUNet),
}

SIZES: dict[str, NetSpec] = {
    "small": NetSpec(depths=(2, 2, 2, 2)),
    "base": NetSpec(),
}


def spec_of(values: Any) -> Spec:
    """Return the spec of JSON values, of whichever network they name. Raises ValueError."""
    name = values.get("net") if isinstance(values, dict) else None
    if name not in NETS:
        raise ValueError(f"network spec names the network {name!r}; there are {', '.join(NETS)}")
    return NETS[name][0].from_dict(values)


@overload
def build(spec: NetSpec) -> UNet: ...
@overload
def build(spec: Spec) -> Any: ...
def build(spec: Spec) -> Any:
    """Return the network of `spec` with fresh weights, in channels-last layout (two to ten times faster on CPUs).

    PriorUNet stays in the ordinary layout: its group norms are a digit less exact in the other one, and it is no slower.
    """
    import torch

    spec.check()
    arguments = {key: value for key, value in asdict(spec).items() if key != "net"}
    net = NETS[spec.net][1](**arguments)
    return net if isinstance(net, PriorUNet) else net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _within(values: tuple[Any, ...], low: int, high: int) -> bool:
    return all(isinstance(value, int) and low <= value <= high for value in values)
