"""Raindrops on the glass before the lens: each drop is a tiny wide-angle lens that shows the scene upside down, out of
focus, over soft edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import chance, log_uniform, uniform
from irflow_cli.tensors import match_dims

TOGETHER = 2**22  # numbers of the covers of some drops, which are worked out together
DROPS = 20  # the most drops a picture of 128 x 128 can hold


def raindrops(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture through a wet pane: at severity 1 more than half of it lies behind drops. Clipped to [0, 1].

    Drops have many sizes, uneven outlines and edges from crisp to far out of focus; some run down as streaks. Inside,
    the scene is turned about the drop's centre, shrunk and blurred, brighter or darker than around it, and mixed with
    what lies behind. A faint film of water blurs parts of the rest, and stray light veils parts of it.
    """
    count, channels, height, width = clean.shape
    device = generator.device
    scene = clean.to(device)
    strength = severity.to(device).clamp(0, 1)
    drops = max(4, round(DROPS * min(height * width / 128**2, 12.0)))
    scale = max(1.0, (height * width / 128**2 / 12.0) ** 0.5)  # large pictures hold larger drops, not ever more

    def each(low: float, high: float) -> Tensor:
        return uniform(low, high, count * drops, generator).reshape(count, drops)

    size = log_uniform(7, 34, count, generator)[:, None] * log_uniform(0.6, 1.6, count * drops, generator).view(count, -1)
    size = size * scale
    centre_y, centre_x = each(-0.1, 1.1) * height, each(-0.1, 1.1) * width
    streak = 1 + 3 * (each(0, 1) < 0.06).float()
    stretch_y, stretch_x = each(0.8, 1.3) * streak, each(0.8, 1.3) / streak.sqrt()
    softness = log_uniform(0.1, 0.7, count, generator)[:, None] * each(0.7, 1.4)
    area = 0.75 * height * width * strength[:, None]  # drops beyond this area stay away
    shown = ((size**2 * 3.1).cumsum(1) <= area) & (strength[:, None] > 0)
    shown[:, 0] |= strength > 0
    opacity = each(0.45, 1.05).clamp(max=1) * shown

    # Outlines are soft, so cover and ownership are worked out at half the resolution.
    rows = torch.arange(0.5, height, 2, device=device)[:, None]
    columns = torch.arange(0.5, width, 2, device=device)[None, :]
    wobble = torch.randn((count, 2, max(2, height // 12), max(2, width // 12)), generator=generator, device=device)
    wobble = _resized(wobble, len(rows), columns.shape[1])
    alpha = torch.full((count, len(rows), columns.shape[1]), -1.0, device=device)  # (B, H/2, W/2): how opaque
    owner = torch.zeros(alpha.shape, dtype=torch.long, device=device)  # and whose
    together = max(1, TOGETHER // alpha.numel())
    for first in range(0, drops, together):
        k = (slice(None), slice(first, first + together), None, None)
        offset_y = (rows - centre_y[k]) / (size * stretch_y)[k]  # (B, K, H/2, 1)
        offset_x = (columns - centre_x[k]) / (size * stretch_x)[k]  # (B, K, 1, W/2)
        distance = (offset_y**2 + offset_x**2).sqrt() + 0.08 * wobble[:, :1]  # (B, K, H/2, W/2), 1 at the outline
        cover, whose = (torch.sigmoid((1 - distance) / softness[k]) * opacity[k]).max(dim=1)
        owner = torch.where(cover > alpha, whose + first, owner)
        alpha = torch.maximum(cover, alpha)

    def of_owner(values: Tensor) -> Tensor:
        return values.gather(1, owner.flatten(1)).view_as(alpha)

    shrink = log_uniform(2.0, 8.0, count, generator)[:, None, None]
    drop_y, drop_x = of_owner(centre_y), of_owner(centre_x)
    across = uniform(0, 1, count, generator)[:, None, None]  # 0: a drop shows what is behind it, 1: the opposite side
    source_y = drop_y + across * (height - 2 * drop_y) - (rows - drop_y) * shrink
    source_x = drop_x + across * (width - 2 * drop_x) - (columns - drop_x) * shrink
    grid = torch.stack([source_x / width, source_y / height], dim=-1)
    inside = F.grid_sample(_blurred(scene, 8), grid * 2 - 1, padding_mode="reflection", align_corners=False)
    grey = uniform(0.2, 0.9, count, generator)[:, None] + 0.06 * torch.randn(
        (count, channels), generator=generator, device=device
    )
    beyond = match_dims(uniform(0, 0.7, count, generator), scene)  # drops also see what lies outside the picture
    overall = scene.mean((2, 3), keepdim=True)
    overall = overall + beyond * (grey[..., None, None] - overall)
    sky = scene.flatten(2).quantile(0.9, dim=2)[..., None, None]
    flat = match_dims(uniform(0.4, 1.0, count, generator), scene)
    lean = match_dims(uniform(-0.2, 1, count, generator), scene)
    inside = inside + flat * (overall + lean * (sky - overall) - inside)
    glow = 0.06 * torch.tanh(4 * (drop_y - rows) / height)
    inside = inside * of_owner(each(0.8, 1.25)).unsqueeze(1) + (of_owner(each(-0.04, 0.12)) + glow).unsqueeze(1)
    alpha = alpha.unsqueeze(1)
    inside = inside * (1 - match_dims(uniform(0, 0.35, count, generator), scene) * 4 * alpha * (1 - alpha))  # darker rim

    film = torch.sigmoid(wobble[:, 1:] * 2 - 1) * match_dims(uniform(0, 0.5, count, generator) * strength, scene)
    film = film * match_dims(chance(0.6, count, generator), scene)
    glare = torch.sigmoid(_blurred(wobble[:, :1], 8) * 3) * match_dims(uniform(0, 0.4, count, generator) * strength, scene)
    glare = glare * match_dims(chance(0.6, count, generator), scene)
    alpha, film, glare, inside = (_resized(layer, height, width) for layer in (alpha, film, glare, inside))
    around = scene + film * (_blurred(scene, 4) - scene)
    around = around + glare * (overall + lean * (sky - overall) - around)
    wet = around + alpha * (inside - around)
    return torch.where(match_dims(strength, scene) > 0, wet.clamp(0, 1), scene).to(clean)


def _resized(image: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)


def _blurred(image: Tensor, factor: int) -> Tensor:
    """Return the picture averaged over cells of `factor` pixels and drawn smoothly at its old size."""
    height, width = image.shape[-2:]
    small = F.interpolate(image, size=(max(1, height // factor), max(1, width // factor)), mode="area")
    return F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
