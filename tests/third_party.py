"""Files as the authors' programs write them: their names and shapes of tensors, filled with numbers that never change."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

# Of these, tests/golden/third-party.npz holds what the authors' own code answers: arguments of the functions below.
OFFICIAL = {"official-4-1": (4, 1), "official-6-3": (6, 3)}
PRIOR = {"prior-2": ((1, 2), 1, (0, 1), 64), "prior-3": ((1, 2, 1), 2, (0, 1), 32)}
TIMES = {"official": (0.0, 0.8), "prior": (0.0, 0.7)}
SIZE = {"official": (19, 22), "prior": (16, 16)}


def official_shapes(nf: int, depth: int) -> Shapes:
    """Return the tensors of IR-Flow's published network."""
    shapes: Shapes = {"init_conv.weight": (nf, 3, 7, 7), "final_conv.weight": (3, nf, 3, 3), "final_conv.bias": (3,)}
    for index, source in ((1, nf), (3, 4 * nf)):
        shapes |= _layer(f"time_mlp.{index}", 4 * nf, source)

    def block(name: str, source: int, wide: int) -> None:
        shapes.update(_layer(f"{name}.mlp.1", 2 * wide, 4 * nf))
        shapes[f"{name}.block1.proj.weight"] = (wide, source, 3, 3)
        shapes[f"{name}.block2.proj.weight"] = (wide, wide, 3, 3)
        if source != wide:
            shapes[f"{name}.res_conv.weight"] = (wide, source, 1, 1)

    def attention(name: str, wide: int) -> None:
        shapes.update(_layer(f"{name}.fn.fn.to_out.0", wide, 128, 1, 1))
        shapes[f"{name}.fn.fn.to_qkv.weight"] = (384, wide, 1, 1)
        shapes[f"{name}.fn.fn.to_out.1.g"] = shapes[f"{name}.fn.norm.g"] = (1, wide, 1, 1)

    for level in range(depth):
        fine, coarse, top = nf * 2**level, nf * 2 ** (level + 1), depth - 1 - level
        for index in (0, 1):
            block(f"downs.{level}.{index}", fine, fine)
            block(f"ups.{top}.{index}", coarse + fine, coarse)
        attention(f"downs.{level}.2", fine)
        attention(f"ups.{top}.2", coarse)
        last = level == depth - 1
        shapes |= {f"downs.{level}.3.weight": (coarse, fine, 3, 3)} if last else _layer(f"downs.{level}.3", coarse, fine, 4, 4)
        shapes |= _layer(f"ups.{top}.3.1", fine, coarse, 3, 3) if level else {f"ups.{top}.3.weight": (fine, coarse, 3, 3)}
    deep = nf * 2**depth
    block("mid_block1", deep, deep)
    attention("mid_attn", deep)
    block("mid_block2", deep, deep)
    block("final_res_block", 2 * nf, nf)
    return shapes


def prior_shapes(multipliers: tuple[int, ...], blocks: int, looks: tuple[int, ...], width: int) -> Shapes:
    """Return the tensors of the flow prior of PnP-Flow and Restora-Flow; `looks` are its levels with attention."""
    widths = [width * multiplier for multiplier in multipliers]
    shapes = {
        **_layer("temb_net.main.0", 4 * width, width),
        **_layer("temb_net.main.2", 4 * width, 4 * width),
        **_layer("begin_conv", width, 3, 3, 3),
        **_layer("end_conv.0", widths[0]),
        **_layer("end_conv.2", 3, widths[0], 3, 3),
    }

    def block(name: str, source: int, wide: int) -> None:
        shapes.update(_layer(f"{name}.temb_proj", wide, 4 * width))
        shapes.update(_layer(f"{name}.norm1", source) | _layer(f"{name}.norm2", wide))
        shapes.update(_layer(f"{name}.conv1", wide, source, 3, 3) | _layer(f"{name}.conv2", wide, wide, 3, 3))
        if source != wide:
            shapes.update(_layer(f"{name}.shortcut", wide, source, 1, 1))

    def attention(name: str, wide: int) -> None:
        shapes.update(_layer(f"{name}.norm", wide))
        for part in ("attn_q", "attn_k", "attn_v", "proj_out"):
            shapes.update(_layer(f"{name}.{part}", wide, wide, 1, 1))

    now, skips = width, [width]
    for level, wide in enumerate(widths):
        name = f"down_modules.{level}.{level}"
        for index in range(blocks):
            block(f"{name}a_{index}a_block", now, wide)
            if level in looks:
                attention(f"{name}a_{index}b_attn", wide)
            skips.append(wide)
            now = wide
        if level < len(widths) - 1:
            shapes |= _layer(f"{name}b_downsample", wide, wide, 3, 3)
            skips.append(wide)
    block("mid_modules.0", now, now)
    attention("mid_modules.1", now)
    block("mid_modules.2", now, now)
    for place, level in enumerate(reversed(range(len(widths)))):
        name, wide = f"up_modules.{place}.{level}", widths[level]
        for index in range(blocks + 1):
            block(f"{name}a_{index}a_block", now + skips.pop(), wide)
            if level in looks:
                attention(f"{name}a_{index}b_attn", wide)
            now = wide
        if level:
            shapes |= _layer(f"{name}b_upsample.up_conv", wide, wide, 3, 3)
    return shapes


def numbers(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Return a tensor for every shape: gains near 1, biases near 0, weights that keep a signal's size."""
    random = np.random.RandomState(seed)  # its numbers are promised to stay the same in all versions
    tensors = {}
    for name in sorted(shapes):
        values = random.standard_normal(shapes[name]).astype(np.float32)
        if name.endswith(".g") or (name.endswith(".weight") and values.ndim == 1):
            values = 1 + values / 10
        elif name.endswith(".bias"):
            values = values / 10
        else:
            values = 0.8 * values / np.float32(np.prod(shapes[name][1:]) ** 0.5)
        tensors[name] = torch.from_numpy(values.astype(np.float32))
    return tensors


def question(kind: str) -> tuple[Tensor, Tensor]:
    """Return the picture (2, 3, H, W) and the times (2,), in our range and direction, that the golden outputs answer."""
    picture = np.random.RandomState(7).random_sample((2, 3, *SIZE[kind])).astype(np.float32)
    return torch.from_numpy(picture), torch.tensor(TIMES[kind])


def _layer(name: str, *shape: int) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
