"""Pictures for training: decoded once, kept as uint8 on the device, cut into batches."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.errors import NothingToDo, UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.find import find_pictures

SCALES = (1.0, 0.6, 0.35)  # every picture is also there smaller, so that texture comes in several sizes


@dataclass(frozen=True)
class Corpus:
    """Pictures as uint8 tensors (3, H, W), or (6, H, W) where a degraded version lies under the clean one."""

    pictures: tuple[Tensor, ...]
    paired: bool

    def batch(self, count: int, crop: int, generator: torch.Generator) -> Tensor:
        """Return `count` crops (count, 3 or 6, crop, crop), float32 in [0, 1], mirrored and turned at random.

        Pictures are equally likely, whatever their size. Pairs are mirrored left to right only, for rain has a direction.
        The generator is a CPU generator.
        """
        draws = torch.rand((count, 4), generator=generator).tolist()
        crops = []
        for which, top, left, turn in draws:
            picture = self.pictures[int(which * len(self.pictures))]
            row = int(top * (picture.shape[1] - crop + 1))
            column = int(left * (picture.shape[2] - crop + 1))
            patch = picture[:, row : row + crop, column : column + crop]
            quarter, mirrored = divmod(int(turn * 8), 2)
            if mirrored:
                patch = patch.flip(2)
            crops.append(patch if self.paired else torch.rot90(patch, quarter, (1, 2)))
        return torch.stack(crops).float() / 255


def load_corpus(folder: Path, crop: int, device: torch.device) -> tuple[Corpus, Corpus]:
    """Return the pictures below `folder` as (training, validation).

    A folder with `clean/` and `degraded/` holds pairs of equal names. One picture in twenty, chosen by its name, is kept
    for validation and never trained on. Training pictures are added at the smaller SCALES that still hold a crop.
    Raises NothingToDo without pictures, UsageError for pairs that do not match and pictures smaller than a crop.
    """
    paired = (folder / "clean").is_dir() and (folder / "degraded").is_dir()
    root = folder / "clean" if paired else folder
    paths = find_pictures(root)
    if not paths:
        raise NothingToDo(f"no pictures below {root}; training needs a folder of clean photographs")
    training: list[Tensor] = []
    held_out: list[Tensor] = []
    for path in paths:
        pixels = read_picture(path).rgb8()
        if paired:
            pixels = np.concatenate([pixels, _partner(folder / "degraded", path, pixels.shape)], axis=2)
        versions = [pixels] if paired else _smaller(pixels)
        fitting = [version for version in versions if min(version.shape[:2]) >= crop]
        tensors = [torch.from_numpy(np.ascontiguousarray(v.transpose(2, 0, 1))).to(device) for v in fitting]
        (held_out if _is_held_out(path) else training).extend(tensors[:1] if _is_held_out(path) else tensors)
    if len(training) > 1 and not held_out:
        held_out.append(training.pop())
    if not training:
        raise UsageError(f"no picture below {root} is at least {crop} pixels wide and high; lower `crop`")
    return Corpus(tuple(training), paired), Corpus(tuple(held_out or training[:1]), paired)


def load_rain_layers(folder: Path, size: int = 480) -> Tensor:
    """Return the rain layers (grey pictures) of `folder`, (N, 1, size, size) in [0, 1].

    Where `NAME.known.png` beside a layer is black, its value is not known; such holes are filled from other places of
    the same layer, moved but not turned, which keeps the direction of the rain. Small layers are repeated.
    """
    layers = []
    for path in find_pictures(folder):
        if ".known" in path.name:
            continue
        layer = cv2.cvtColor(read_picture(path).rgb8(), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        mask_path = path.with_suffix(".known.png")
        known = read_picture(mask_path).rgb8()[..., 0] > 127 if mask_path.exists() else np.ones(layer.shape, bool)
        known &= cv2.dilate((~known).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        shifts = np.random.default_rng(0)
        for _ in range(64):
            if known.all():
                break
            move = (int(shifts.integers(layer.shape[0])), int(shifts.integers(layer.shape[1])))
            moved, moved_known = np.roll(layer, move, (0, 1)), np.roll(known, move, (0, 1))
            layer = np.where(~known & moved_known, moved, layer)
            known = known | moved_known
        repeats = (-(-size // layer.shape[0]), -(-size // layer.shape[1]))
        layers.append(torch.from_numpy(np.tile(layer, repeats)[None, :size, :size].copy()))
    if not layers:
        raise NothingToDo(f"no rain layers in {folder}")
    return torch.stack(layers)


def _is_held_out(path: Path) -> bool:
    return hashlib.sha256(path.stem.encode()).digest()[0] % 20 == 0


def _smaller(pixels: np.ndarray) -> list[np.ndarray]:
    height, width = pixels.shape[:2]
    sizes = [(max(1, round(width * scale)), max(1, round(height * scale))) for scale in SCALES]
    return [pixels if s == (width, height) else cv2.resize(pixels, s, interpolation=cv2.INTER_AREA) for s in sizes]


def _partner(folder: Path, clean: Path, shape: tuple[int, ...]) -> np.ndarray:
    matches = [path for path in folder.iterdir() if path.stem == clean.stem]
    if len(matches) != 1:
        raise UsageError(f"{clean.name} has {len(matches)} partners in {folder}; pairs share one file name")
    pixels = read_picture(matches[0]).rgb8()
    if pixels.shape != shape:
        raise UsageError(f"{matches[0]} and {clean} differ in size; pairs must match pixel by pixel")
    return pixels


def validation_crops(corpus: Corpus, size: int, most: int = 12) -> list[Tensor]:
    """Return the centre crops of up to `most` pictures, (1, 3 or 6, <= size, <= size), float32 in [0, 1]."""
    crops = []
    for picture in corpus.pictures[:most]:
        height, width = (min(size, side) for side in picture.shape[1:])
        top, left = (picture.shape[1] - height) // 2, (picture.shape[2] - width) // 2
        crops.append(picture[None, :, top : top + height, left : left + width].float() / 255)
    return crops
