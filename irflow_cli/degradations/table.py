"""The table of degradations: what can be done to a picture, how strongly, and in which unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from irflow_cli.degradations.jpeg import jpeg
from irflow_cli.degradations.noise import camera, gaussian, poisson
from irflow_cli.degradations.photo import grain, photo
from irflow_cli.degradations.rain import heavy_rain, rain, soft_rain, veiled_rain
from irflow_cli.degradations.raindrops import raindrops
from irflow_cli.tensors import check_image


@dataclass(frozen=True)
class Degradation:
    """One way to degrade a picture. `apply(clean, severity (B,), generator)` returns the same shape; 0 is the identity."""

    apply: Callable[[Tensor, Tensor, torch.Generator], Tensor]
    largest: float
    usual: float
    unit: str


DEGRADATIONS: dict[str, Degradation] = {
    "noise": Degradation(gaussian, 75, 25, "standard deviation on the 0-255 scale"),
    "poisson": Degradation(poisson, 75, 25, "standard deviation in the middle grey, 0-255 scale"),
    "camera": Degradation(camera, 75, 25, "standard deviation in the middle grey, 0-255 scale"),
    "rain": Degradation(rain, 1, 0.6, "0 dry to 1 a shower"),
    "rain-heavy": Degradation(heavy_rain, 1, 0.6, "0 dry to 1 downpour"),
    "rain-soft": Degradation(soft_rain, 1, 0.6, "0 dry to 1 dense, of streaks out of focus or fine, or specks"),
    "rain-veil": Degradation(veiled_rain, 1, 0.6, "0 dry to 1 rain that hides what is far"),
    "raindrops": Degradation(raindrops, 1, 0.6, "0 dry to 1 hundreds of drops"),
    "photo": Degradation(photo, 75, 8, "standard deviation over the picture, 0-255 scale"),
    "film-grain": Degradation(grain, 75, 10, "standard deviation over the picture, 0-255 scale"),
    "jpeg": Degradation(jpeg, 99, 70, "100 minus the JPEG quality"),
}


def degrade(clean: Tensor, kind: str, severity: float | Tensor, *, generator: torch.Generator) -> Tensor:
    """Return `clean` (B, 1 or 3, H, W) in [0, 1] degraded by an entry of DEGRADATIONS.

    severity: one number or (B,), in the unit of the entry. The same generator state gives the same result. Noise is
    not clipped. Raises KeyError for an unknown kind, ValueError for a severity out of range.
    """
    check_image(clean)
    entry = DEGRADATIONS[kind]
    severity = torch.as_tensor(severity, dtype=torch.float32).expand(clean.shape[0]).to(clean.device)
    if bool((severity < 0).any()) or bool((severity > entry.largest).any()):
        raise ValueError(f"severity of {kind} goes from 0 to {entry.largest:g} ({entry.unit})")
    return entry.apply(clean, severity, generator)
