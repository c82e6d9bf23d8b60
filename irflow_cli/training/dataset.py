"""Pictures for training: decoded once, kept as uint8 on the device, cut into batches."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from irflow_cli.errors import NothingToDo, UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.find import find_pictures
from irflow_cli.runtime.device import available_cores
from irflow_cli.tensors import to_device
from irflow_cli.training.pairs import Pair, enlarged_to, find_pairs, has_pairs

SCALES = (1.0, 0.6, 0.35)  # every picture is also there smaller, so that texture comes in several sizes


@dataclass(frozen=True)
class Corpus:
    """Pictures as bytes, one after another in one flat buffer on the device, so that a batch of crops is one lookup.

    pixels: (N,) uint8, each picture (C, H, W), C = 6 where a degraded version lies under the clean one. places: (pictures, 3)
    int64: where a picture begins in the buffer, its height and its width.
    """

    pixels: Tensor
    places: np.ndarray
    paired: bool

    @classmethod
    def of(cls, pictures: Sequence[Tensor], paired: bool, device: torch.device) -> Corpus:
        """Return the corpus of pictures, (3 or 6, H, W) uint8 each."""
        sizes = np.array([picture.numel() for picture in pictures])
        pixels = torch.empty(int(sizes.sum()), dtype=torch.uint8, device=device)
        for picture, part in zip(pictures, pixels.split(sizes.tolist()), strict=True):
            part.copy_(picture.reshape(-1))
        shapes = np.array([tuple(picture.shape[1:]) for picture in pictures])
        return cls(pixels, np.column_stack([sizes.cumsum() - sizes, shapes]), paired)

    def __len__(self) -> int:
        return len(self.places)

    def picture(self, index: int) -> Tensor:
        """Return a picture, (3 or 6, H, W) uint8."""
        first, height, width = self.places[index].tolist()
        channels = 6 if self.paired else 3
        return self.pixels[first : first + channels * height * width].view(channels, height, width)

    def batch(self, count: int, crop: int, random: np.random.Generator) -> Tensor:
        """Return `count` crops (count, 3 or 6, crop, crop), float32 in [0, 1], mirrored and turned at random.

        Pictures are equally likely, whatever their size. Pairs are mirrored left to right only, for rain has a direction.
        Where a crop lies is drawn on the host, and a GPU is never waited for.
        """
        which, down, right, turn = random.random((4, count))
        first, height, width = self.places[(which * len(self.places)).astype(int)].T
        top, left = (down * (height - crop + 1)).astype(int), (right * (width - crop + 1)).astype(int)
        quarter, mirrored = np.divmod((turn * 8).astype(int), 2)
        drawn = torch.from_numpy(np.stack([first + top * width + left, width, height * width, mirrored, quarter], 1))
        drawn = to_device(drawn, self.pixels.device)
        begin, width, plane, mirrored, quarter = drawn[:, :, None, None, None].unbind(1)
        line = torch.arange(crop, device=self.pixels.device)
        row, column = line[:, None].expand(crop, crop), line.expand(crop, crop)
        if not self.paired:
            for turned in range(1, 4):  # where a pixel of the turned crop comes from
                there = torch.rot90(torch.stack([line[:, None].expand(crop, crop), line.expand(crop, crop)]), turned, (1, 2))
                row, column = torch.where(quarter == turned, there[0], row), torch.where(quarter == turned, there[1], column)
        column = torch.where(mirrored > 0, crop - 1 - column, column)
        channels = torch.arange(6 if self.paired else 3, device=self.pixels.device)[:, None, None]
        return self.pixels[begin + channels * plane + row * width + column].float() / 255


class Corpora(NamedTuple):
    """The pictures of a folder. small: how many are smaller than a crop, and left out; apart: whether those for validation
    are not trained on, too."""

    training: Corpus
    validation: Corpus
    small: int
    apart: bool

    def notes(self, crop: int) -> Iterator[str]:
        """Yield what to tell the user of them."""
        if self.small:
            some = "a picture" if self.small == 1 else f"{self.small} pictures"
            yield f"left out {some} with less than {crop} pixels one way; `crop` may be lower"
        if not self.apart:
            yield "one scene alone, and none to hold out: the validation PSNR is of a picture that is trained on"


def load_corpus(folder: Path, crop: int, device: torch.device) -> Corpora:
    """Return the pictures below `folder`, for training and for validation.

    A folder in one of the LAYOUTS of `pairs`, such as `clean/` and `degraded/`, holds pairs. One picture in twenty, chosen by
    its name, is kept for validation and never trained on. Clean pictures are added at the smaller SCALES that still hold a
    crop. Raises NothingToDo without pictures, UsageError for pairs that do not match and where no picture holds a crop.
    """
    paired = has_pairs(folder)
    found = find_pairs(folder) if paired else [Pair(path, path, path.stem) for path in find_pictures(folder)]
    if not found:
        raise NothingToDo(f"no pictures below {folder}; training needs a folder of clean photographs")
    training: list[tuple[str, list[Tensor]]] = []
    held_out: list[Tensor] = []
    small = 0
    versions = _pair if paired else _sizes
    with ThreadPoolExecutor(available_cores()) as pool:
        for pair, tensors in zip(found, pool.map(lambda pair: _fitting(versions(pair), crop), found), strict=True):
            small += not tensors
            if _is_held_out(pair.group):
                held_out += tensors[:1]
            elif tensors:
                training.append((pair.group, tensors))
    groups = [group for group, _ in training]
    if len(set(groups)) > 1 and not held_out:  # then it is the last, in all its sizes
        held_out = training[groups.index(groups[-1])][1][:1]
        training = [one for one in training if one[0] != groups[-1]]
    if not training and not held_out:
        raise UsageError(f"no picture below {folder} is at least {crop} pixels wide and high; lower `crop`")
    every = [tensor for _, tensors in training for tensor in tensors]
    corpora = [Corpus.of(pictures, paired, device) for pictures in (every or held_out, held_out or every[:1])]
    return Corpora(corpora[0], corpora[1], small, bool(every and held_out))


def load_rain_layers(folder: Path, size: int = 480) -> Tensor:
    """Return the rain layers (grey pictures) of `folder`, (N, 1, size, size) in [0, 1].

    Where `NAME.known.png` beside a layer is black, its value is not known; such holes are filled from other places of
    the same layer, moved but not turned, which keeps the direction of the rain. Small layers are repeated.

    Raises NothingToDo without layers.
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
        raise NothingToDo(f"no rain layers in {folder}; give a folder of grey pictures of rain alone")
    return torch.stack(layers)


def _fitting(versions: list[np.ndarray], crop: int) -> list[Tensor]:
    """Return pixels (H, W, C) that hold a crop as tensors (C, H, W)."""
    fitting = [version for version in versions if min(version.shape[:2]) >= crop]
    return [torch.from_numpy(np.ascontiguousarray(version.transpose(2, 0, 1))) for version in fitting]


def _is_held_out(name: str) -> bool:
    return hashlib.sha256(os.fsencode(name)).digest()[0] % 20 == 0


def _sizes(pair: Pair) -> list[np.ndarray]:
    """Return a clean picture, (H, W, 3) uint8, at all SCALES."""
    pixels = read_picture(pair.clean).rgb8()
    height, width = pixels.shape[:2]
    sizes = [(max(1, round(width * scale)), max(1, round(height * scale))) for scale in SCALES]
    return [pixels if s == (width, height) else cv2.resize(pixels, s, interpolation=cv2.INTER_AREA) for s in sizes]


def _pair(pair: Pair) -> list[np.ndarray]:
    """Return a clean picture over its degraded one, (H, W, 6) uint8, as they are alone."""
    clean, degraded = (read_picture(path).rgb8() for path in (pair.clean, pair.degraded))
    if pair.enlarged:
        degraded = enlarged_to(degraded, clean)
    if degraded.shape != clean.shape:
        raise UsageError(f"{pair.degraded} and {pair.clean} differ in size; pairs must match pixel by pixel")
    return [np.concatenate([clean, degraded], axis=2)]


def validation_crops(corpus: Corpus, size: int, most: int = 12) -> list[Tensor]:
    """Return the centre crops of up to `most` pictures, (1, 3 or 6, <= size, <= size), float32 in [0, 1]."""
    crops = []
    for picture in map(corpus.picture, range(min(most, len(corpus)))):
        height, width = (min(size, side) for side in picture.shape[1:])
        top, left = (picture.shape[1] - height) // 2, (picture.shape[2] - width) // 2
        crops.append(picture[None, :, top : top + height, left : left + width].float() / 255)
    return crops
