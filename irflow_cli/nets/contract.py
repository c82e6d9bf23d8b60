"""What every network says of itself, so that nothing else has to know which one it is.

A network is called as `net(x_t, t, degraded)`: x_t (B, 3, H, W) of any height and width, t (B,) from degraded or noise (0) to
clean (1), and degraded the picture that it restores, None for a prior. Its `contract` says what comes out and what it needs;
`engines.fields` alone reads it to make a velocity of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from irflow_cli.nets.confidence import ConfidenceNet

if TYPE_CHECKING:
    from typing_extensions import Self

PREDICTIONS = ("residual", "velocity", "clean")  # x_t - x_1, dx/dt, x_1
LATER = {"time_map": False, "confidence": 0}  # entries that older checkpoints do not have, and what they are there


@dataclass(frozen=True)
class Contract:
    """What a network predicts and needs.

    predicts: one of PREDICTIONS. range: its black and white, for pictures and predictions; ours are 0 and 1. multiple: tiles
    that begin at multiples of it are seen alike; other sides are padded inside. size: the side of pictures it knows best, None
    for any. noise: of a prior, mean and deviation, on [0, 1], of the normal noise that its paths begin in; the usual one is
    standard on [-1, 1]. time_map: t may also be a time for every pixel, (B, 1, H, W). condition: it sees `degraded` beside x_t.
    channels_last: whether it is as exact, and quicker, in that layout of memory. exact: names of modules that stay in float32
    where the rest is in a lower precision.
    """

    predicts: str
    multiple: int
    range: tuple[float, float] = (0.0, 1.0)
    size: int | None = None
    noise: tuple[float, float] = (0.5, 0.5)
    time_map: bool = False
    condition: bool = False
    channels_last: bool = True
    exact: tuple[str, ...] = ()

    def padded(self, image: Tensor) -> Tensor:
        """Return `image` (B, C, H, W) extended below and to the right to multiples of `multiple`."""
        return mirror_up(image, self.multiple)


class Network(nn.Module, ABC):
    """A network with its contract, which its `__init__` sets. confidence: of some, what tells how far to believe them."""

    contract: Contract
    confidence: ConfidenceNet | None

    def __init__(self) -> None:
        super().__init__()
        self.confidence = None

    @abstractmethod
    def forward(self, x_t: Tensor, t: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Return what the contract says, shaped as x_t."""


@dataclass(frozen=True)
class Spec:
    """All that determines a network's shape; `net` says which one it is. `to_dict` and `from_dict` are each other's inverse."""

    net: str
    trainable: ClassVar[bool] = False  # by `irflow train`; third-party networks are not
    unstated: ClassVar[tuple[str, ...]] = ()  # entries that cannot be read from weights, so that the user of `convert` may

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values. Entries of LATER are left out where they say nothing: older versions can read it then."""
        values = {key: value for key, value in asdict(self).items() if value or key not in LATER}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the spec of JSON values. Raises ValueError naming the entry that is unknown, missing or out of range."""
        known = {field.name: field for field in fields(cls)}
        values = {**{key: value for key, value in LATER.items() if key in known}, **values}
        if set(values) != set(known):
            raise ValueError(f"network spec has {sorted(values)}, expected {sorted(known)}")
        plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        spec = cls(**plain)
        spec.check()
        return spec

    def check(self) -> None:
        """Raise ValueError unless every entry is of its type and within sane limits."""
        rules = {"net": self.net == type(self).net, **self.rules()}
        broken = [name for name, holds in rules.items() if not holds]
        if broken:
            raise ValueError(f"network spec is out of range in {', '.join(broken)}")

    def rules(self) -> dict[str, bool]:
        """Return, by the name of an entry or of several, whether it is as it should be."""
        return {}


def mirror_up(image: Tensor, multiple: int) -> Tensor:
    """Return `image` (B, C, H, W) extended below and to the right to multiples of `multiple`: mirrored, or where it is
    too small for that, repeated from its edge."""
    height, width = image.shape[-2:]
    below, right = -height % multiple, -width % multiple
    if not below and not right:
        return image
    mode = "reflect" if below < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, below), mode=mode)


def within(values: tuple[Any, ...], low: int, high: int) -> bool:
    """Return whether all values are whole numbers from `low` to `high`."""
    return all(type(value) is int and low <= value <= high for value in values)
