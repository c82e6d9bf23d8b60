"""Raindrops on the glass before the lens, by the optics of it, in linear light.

The pane is drawn sharp, as caps of water of which each shows a wide view of the surroundings upside down: the sky below, the
ground above. Then the pane, light and cover alike, is spread over the lens's circle of confusion, for the camera is focused
on what lies behind. So small drops become pale discs, and their sum a veil.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import chance, log_uniform, uniform
from irflow_cli.tensors import match_dims

USUAL = 480 * 720  # pixels of a picture for which the sizes below hold; in larger ones drops keep their share
DETAIL = 2**21  # the most pixels of a pane: of larger pictures it is drawn smaller, then enlarged
CELLS = (4.4, 3.6, 2.8, 2.2, 1.7, 1.2)  # of lattices that hold a drop in some of their cells, in radii of a usual drop
PERIOD = 32  # cells after which a lattice repeats itself; a power of two
VIEW = 24  # pixels of the surroundings that drops show


class Pane(NamedTuple):
    """Water on the glass: how much of a pixel it covers, (B, 1, H, W); its slope, (B, 2, H, W), right and down, 1 at a
    drop's rim; how bright it is beside other drops, (B, 1, H, W)."""

    cover: Tensor
    slope: Tensor
    tone: Tensor


def raindrops(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture through a wet pane: a few drops and a faint veil at severity 0.1, hundreds at 1. In [0, 1].

    Number, size, outlines, focus, sky and light differ from picture to picture: from sharp drops to discs so wide that only
    a veil with soft spots is left. The surroundings are the picture itself or its neighbour in the batch, under a sky.
    Nothing here waits for the device: the same steps run whatever is drawn.
    """
    count, _, height, width = clean.shape
    device = generator.device
    scene = clean.to(device)
    strength = severity.to(device).clamp(0, 1)
    light = scene.float().square()  # near enough to linear light
    small = max(1.0, math.sqrt(height * width / DETAIL))
    size = (max(1, round(height / small)), max(1, round(width / small)))
    scale = max(1.0, math.sqrt(size[0] * size[1] / USUAL))

    radius = log_uniform(6, 44, count, generator) * scale
    sharp = chance(0.12, count, generator)
    blur = radius * log_uniform(0.35, 2.4, count, generator) * (1 - 0.8 * sharp)
    dense = log_uniform(0.2, 0.75, count, generator) * strength
    pane = _pane(size, radius, dense, generator)
    view, sky = _surroundings(light, generator)
    inside = seen_through(pane, view, sky, generator)
    cover = pane.cover * match_dims(uniform(0.6, 1, count, generator), light)
    water = out_of_focus(torch.cat([inside * cover, cover], dim=1), blur, generator)
    water = _resized(water, height, width)

    behind = _filmed(light, view, sky, strength, generator)
    wet = behind * (1 - water[:, -1:]) + water[:, :-1]
    return torch.where(match_dims(strength, scene) > 0, wet.clamp(1e-8, 1).sqrt(), scene).to(clean)


def _pane(size: tuple[int, int], radius: Tensor, dense: Tensor, generator: torch.Generator) -> Pane:
    """Return drops of about `radius` pixels (B,) on a pane; `dense` (B,) is the share of the lattices' cells with a drop.

    Where drops of several lattices meet, the higher water is seen.
    """
    count = len(radius)
    wobble, wide = (_bumps(count, 1, size, apart, generator)[:, 0] for apart in (8, 120))
    wobble = 0.12 * wobble + uniform(0, 0.9, count, generator)[:, None, None] * wide
    aspect = uniform(0.85, 1.2, count, generator)
    best = _lattice(size, radius * CELLS[0], aspect, dense, generator)
    for share in CELLS[1:]:
        drawn = _lattice(size, radius * share, aspect, dense, generator)
        higher = drawn[0] > best[0]
        best = [torch.where(higher, new, old) for new, old in zip(drawn, best, strict=True)]
    level, across, down, breadth, tone = best
    cover = ((level + wobble) * breadth / 2 + 0.5).clamp(0, 1)  # the height falls by 2 over a radius at the rim
    return Pane(cover[:, None], torch.stack([across, down], dim=1), tone[:, None])


def _lattice(size: tuple[int, int], cell: Tensor, aspect: Tensor, dense: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Return drops, at most one in a cell of `cell` pixels (B,): height (1 inside to below 0 outside), slope to the right and
    down, radius in pixels and tone, each (B, H, W).

    Rows of cells are shifted against each other like bricks, by random amounts. A drop is the smooth union of two circles,
    the smaller one above: gravity pulls the water down.
    """
    count, device = len(cell), generator.device

    def each(low: float, high: float) -> Tensor:
        return uniform(low, high, count * PERIOD**2, generator).view(count, -1)

    large = 0.12 + 0.23 * each(0, 1).square()  # in cells
    less = each(0.45, 0.95)
    away = large * each(0, 1.4 - 0.95)
    lean = each(-0.6, 0.6)
    room = 0.5 - 1.4 * large
    present = (each(0, 1) < dense[:, None]).float()
    table = torch.stack(
        [
            0.5 + room * each(-1, 1),
            0.5 + room * each(-1, 1),
            1 / large,
            away * lean,
            -away - large * (1 - less),
            1 / (large * less),
            10 * present - 10,
            large * cell[:, None],
            each(0.55, 1.25),
        ],
        dim=-1,
    )
    row = torch.arange(size[0], device=device) / (cell * aspect)[:, None] + uniform(0, 1, count, generator)[:, None]
    row_of = row.long()
    row_in = row_of & (PERIOD - 1)
    shift = uniform(0, PERIOD, count * PERIOD, generator).view(count, -1).gather(1, row_in)
    column = torch.arange(size[1], device=device) / cell[:, None, None] + shift[..., None]
    column_of = column.long()
    first = torch.arange(count, device=device)[:, None] * PERIOD + row_in
    which = first[..., None] * PERIOD + (column_of & (PERIOD - 1))
    drops = F.embedding(which, table.flatten(0, 1)).unbind(-1)
    centre_x, centre_y, steep, to_x, to_y, steeper, absent, breadth, tone = drops
    x, y = column - column_of - centre_x, (row - row_of)[..., None] - centre_y
    across, down = x * steep, y * steep
    other_across, other_down = (x - to_x) * steeper, (y - to_y) * steeper
    level = 1 - across.square() - down.square()
    part = torch.sigmoid(6 * (1 - other_across.square() - other_down.square() - level))
    across, down = torch.lerp(across, other_across, part), torch.lerp(down, other_down, part)
    level = 1 - across.square() - down.square() + absent
    return [level, across, down, breadth, tone]


def _surroundings(light: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return what drops see without the sky, (B, C, VIEW, VIEW), and the colour of the sky (B, C, 1, 1), in linear light."""
    count, channels = light.shape[:2]
    view = F.interpolate(light, size=(VIEW, VIEW), mode="area")
    view = torch.where(match_dims(chance(0.3, count, generator), view) > 0, view.roll(1, 0), view)
    brightest = view.amax((2, 3), keepdim=True)
    white = log_uniform(0.12, 1.1, count, generator)[:, None] * (
        1 + 0.06 * torch.randn((count, channels), generator=generator, device=generator.device)
    )
    sky = torch.lerp(brightest, white[..., None, None], match_dims(uniform(0.6, 1, count, generator), view))
    overall = view.mean((2, 3), keepdim=True)
    view = torch.lerp(view, overall, match_dims(uniform(0, 0.8, count, generator), view))
    return view, sky


def seen_through(pane: Pane, view: Tensor, sky: Tensor, generator: torch.Generator) -> Tensor:
    """Return the light that the water sends on, (B, C, H, W), not clipped: the surroundings upside down, a dark rim, and a
    highlight where the sun or the brightest part of the sky is."""
    count = len(view)
    across, down = pane.slope[:, :1], pane.slope[:, 1:]

    def each(low: float, high: float) -> Tensor:
        return match_dims(uniform(low, high, count, generator), view)

    grid = (-pane.slope * each(0.5, 1.5)).clamp(-2, 2).permute(0, 2, 3, 1)
    ground = F.grid_sample(view, grid, padding_mode="reflection", align_corners=False) * each(0.1, 1.0)
    above = torch.sigmoid((down - each(-0.1, 0.6)) * each(4, 14))
    inside = torch.lerp(ground, sky, above)
    rim = (across.square() + down.square()).clamp(0, 1).square()
    inside = inside * (1 - rim * each(0.1, 0.9)) * pane.tone ** each(0.5, 5)
    aside = (across - each(-0.4, 0.4)).square() + (down - each(0.1, 0.8)).square()
    glint = log_uniform(0.15, 2, count, generator) * chance(0.5, count, generator)
    return inside + torch.exp(-aside / each(0.02, 0.1)) * match_dims(glint, view) * sky


def out_of_focus(pane: Tensor, blur: Tensor, generator: torch.Generator) -> Tensor:
    """Return `pane` (B, C, H, W) averaged over the lens's opening, `blur` (B,) pixels in radius, periodic at the edges.

    The opening is a circle cut by six blades, which show more or less; its edge is more or less soft.
    """
    count, _, height, width = pane.shape
    rows = torch.fft.fftfreq(height, 1 / height, device=pane.device)[:, None]
    columns = torch.fft.fftfreq(width, 1 / width, device=pane.device)[None, :]
    turn = uniform(0, math.pi / 3, count, generator)[:, None, None]
    straight = uniform(0.87, 1.0, count, generator)[:, None, None]
    distance = (rows.square() + columns.square()).sqrt().expand(count, height, width)
    for blade in range(3):
        angle = turn + blade * math.pi / 3
        distance = torch.maximum(distance, (columns * angle.cos() + rows * angle.sin()).abs() / straight)
    blur = blur[:, None, None]
    soft = 1 + blur * uniform(0.1, 1.4, count, generator)[:, None, None]
    opening = ((blur - distance) / soft + 0.5).clamp(0, 1)
    opening = opening / opening.sum((1, 2), keepdim=True)
    spectrum = torch.fft.rfft2(pane) * torch.fft.rfft2(opening)[:, None]
    return torch.fft.irfft2(spectrum, s=(height, width))


def _filmed(light: Tensor, view: Tensor, sky: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Return the scene through what water is left between drops: it blurs parts and veils all with scattered light."""
    count, _, height, width = light.shape
    bumps, wide = (_bumps(count, 2, (height, width), apart, generator) for apart in (48, 150))
    bumps = torch.sigmoid(1.5 * bumps + 1.5 * wide)
    film = match_dims(chance(0.5, count, generator) * uniform(0, 0.6, count, generator) * strength, light)
    blurred = F.interpolate(light, size=(max(1, height // 4), max(1, width // 4)), mode="area")
    light = torch.lerp(light, _resized(blurred, height, width), film * bumps[:, :1])
    near = _resized(F.interpolate(view, size=(6, 6), mode="area"), height, width)
    overall = view.mean((2, 3), keepdim=True)
    scattered = torch.lerp(near, overall, match_dims(uniform(0, 1, count, generator), light))
    scattered = torch.lerp(scattered, sky, match_dims(0.3 * uniform(0, 1, count, generator).square(), light))
    scattered = scattered * _dapples(light, generator)
    veil = log_uniform(0.08, 0.7, count, generator) * chance(0.85, count, generator) * strength
    return torch.lerp(light, scattered, (match_dims(veil, light) * (0.5 + bumps[:, 1:])).clamp(max=0.7))


def _dapples(light: Tensor, generator: torch.Generator) -> Tensor:
    """Return by how much the light of drops far out of focus differs from place to place, (B, 1, H, W), about 1: some show the
    sky and some the ground, and their discs are wider than they are apart, so the veil is even while its light is not."""
    count, _, height, width = light.shape
    spots = torch.zeros((count, 1, height, width), device=light.device)
    for apart in (12, 28, 64, 150):
        spots = spots + _bumps(count, 1, (height, width), apart, generator) * match_dims(uniform(0, 1, count, generator), light)
    return (spots * match_dims(uniform(0, 1.3, count, generator) * chance(0.8, count, generator), light)).exp()


def _bumps(count: int, channels: int, size: tuple[int, int], apart: int, generator: torch.Generator) -> Tensor:
    """Return smooth normal noise, (count, channels, *size), drawn at points that are `apart` pixels apart."""
    points = (count, channels, *(max(2, side // apart) for side in size))
    return _resized(torch.randn(points, generator=generator, device=generator.device), *size)


def _resized(image: Tensor, height: int, width: int) -> Tensor:
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)
