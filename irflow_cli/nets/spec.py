"""A network as data: what a checkpoint's header holds, and how a module is made from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from irflow_cli.nets.blocks import BLOCKS
from irflow_cli.nets.unet import UNet


@dataclass(frozen=True)
class NetSpec:
    """All that determines a network's shape. `to_dict` and `from_dict` are each other's inverse."""

    net: str = "unet"
    channels: int = 3
    widths: tuple[int, ...] = (16, 32, 64, 128)
    depths: tuple[int, ...] = (2, 2, 4, 4)
    unshuffle: int = 1
    block: str = "conv"
    condition: bool = False
    embedding: int = 64

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetSpec:
        """Return the spec of JSON values. Raises ValueError naming the entry that is unknown, missing or out of range."""
        known = {field.name: field for field in fields(cls)}
        if set(values) != set(known):
            raise ValueError(f"network spec has {sorted(values)}, expected {sorted(known)}")
        plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        spec = cls(**plain)
        spec.check()
        return spec

    def check(self) -> None:
        """Raise ValueError unless every entry is of its type and within sane limits."""
        sizes = (*self.widths, *self.depths, self.channels, self.unshuffle, self.embedding)
        rules = {
            "net": self.net in NETS,
            "block": self.block in BLOCKS,
            "widths": 1 <= len(self.widths) <= 6 and len(self.widths) == len(self.depths),
            "sizes": all(isinstance(size, int) and 1 <= size <= 1024 for size in sizes),
            "condition": isinstance(self.condition, bool),
            "embedding": isinstance(self.embedding, int) and self.embedding % 2 == 0,
        }
        broken = [name for name, holds in rules.items() if not holds]
        if broken:
            raise ValueError(f"network spec is out of range in {', '.join(broken)}")


NETS = {"unet": UNet}

SIZES: dict[str, NetSpec] = {
    "small": NetSpec(depths=(2, 2, 2, 2)),
    "base": NetSpec(),
}


def build(spec: NetSpec) -> UNet:
    """Return the network of `spec` with fresh weights, in channels-last layout (two to ten times faster on CPUs)."""
    import torch

    spec.check()
    arguments = {key: value for key, value in asdict(spec).items() if key != "net"}
    return NETS[spec.net](**arguments).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
