"""Test sets: pictures in folders, paired by name and never by order, and how clean pictures are degraded on the fly."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from irflow_cli.bench.unseen import UNSEEN
from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.degradations.masks import HOLES
from irflow_cli.degradations.shrink import SHRINKS
from irflow_cli.errors import ImageError, NothingToDo, UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.find import find_pictures
from irflow_cli.images.picture import Picture
from irflow_cli.tensors import tensor_of
from irflow_cli.training.pairs import ROLE, enlarged_to, find_pairs, matched

# (clean folder, degraded folder), as the public sets are laid out. The first that is there counts.
PAIRED = (
    ("clean", "degraded"),
    ("target", "input"),  # Rain100L, Rain100H and Rain12 as test sets of Rain13K
    ("norain", "rain"),  # Rain100L, Rain100H by their authors
    ("groundtruth", "rainy"),  # Rain12
    ("gt", "data"),  # RainDrop test_a
    ("cleancrop", "inputcrop"),
    (".", "rainy"),  # Rain100L, Rain100H with the clean pictures one folder up
)
# Where clean pictures lie when the folder itself holds none. Other folders are searched as they are: Kodak24,
# McMaster, Set5, Set14, CelebA and AFHQ are plain folders.
CLEAN = (
    "clean",
    "original_png",
    "original",
    "HR",
    "GTmod12",
    "DIV2K_valid_HR",
    "DIV2K_train_HR",
    "image_SRF_4",
    "image_SRF_2",
    "val",
    "test",
)
DEGRADED = {"rainy", "rain", "degraded", "in", "input"}  # those of ROLE that tell the degraded picture
DEGRADED_FOLDER = re.compile(r"(?i)(noisy|noise|.*[-_]?LR([-_].*)?$)")
LOW_RESOLUTION = re.compile(r"(?i)[-_](LR|bicubic|nearest|glasner|kim|SRCNN|ScSR|SelfEx\w*|x[2348])$")


@dataclass(frozen=True)
class Sample:
    """A clean picture in a file and, in a set of pairs, its degraded partner. enlarged: that has fewer pixels, and is brought
    to the clean one's size by bicubic interpolation, as in training."""

    name: str
    clean: Path
    degraded: Path | None = None
    enlarged: bool = False


@dataclass(frozen=True)
class Corruption:
    """A way to degrade clean pictures: `apply(clean (1, 3, H, W), severity (1,), generator)`. name: such as "noise:25". tag:
    added to the picture's name, where several of one name are made."""

    name: str
    severity: float
    apply: Callable[[Tensor, Tensor, torch.Generator], Tensor]
    tag: str = ""


@dataclass(frozen=True)
class Case:
    """A picture as every method gets it: degraded and clean are (H, W, 3) uint8; degrade is "" for pairs from files.

    A degraded picture with holes has a fourth channel, 0 where it is missing; one to be enlarged has fewer pixels.
    """

    picture: str
    degrade: str
    degraded: np.ndarray
    clean: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """The degraded picture as one sees it, of the clean one's shape: holes are black, few pixels are large."""
        scale = self.clean.shape[0] // self.degraded.shape[0]
        return self.degraded[..., :3].repeat(scale, axis=0).repeat(scale, axis=1)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that tell these pixels from others."""
        content = self.degraded.tobytes() + self.clean.tobytes() + repr(self.clean.shape).encode()
        return hashlib.sha256(content).hexdigest()[:16]


def find_samples(folder: Path, *, paired: bool) -> tuple[Sample, ...]:
    """Return the pictures of a test set, sorted by name: pairs, or clean ones alone.

    Raises NothingToDo without pictures; UsageError when there is no folder of degraded pictures, when a picture has no
    partner or two, on either side.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    if paired:
        return _pairs(folder)
    sides = _sides(folder)
    inside = [] if sides else find_pictures(folder, deep=False)
    around = folder if inside else next((folder / name for name in CLEAN if (folder / name).is_dir()), folder)
    root = sides[0].root if sides else around
    paths = sides[0].paths if sides else [path for path in find_pictures(root) if not _is_degraded(path, root)]
    whole = [path for path in paths if not LOW_RESOLUTION.search(path.stem)]
    larger = {(path.parent, path.stem[:end]) for path in whole for end in range(1, len(path.stem) + 1)}
    # Smaller versions of a picture lie beside it in Urban100 and Set5, and are left out.
    bases = {path: LOW_RESOLUTION.sub("", path.stem) for path in paths}
    paths = [path for path, base in bases.items() if base == path.stem or (path.parent, base) not in larger]
    if not paths:
        raise NothingToDo(f"no pictures below {root}")
    names = [_name(path, root) for path in paths]
    times = Counter(names)
    names = [name if times[name] == 1 else path.relative_to(root).as_posix() for name, path in zip(names, paths, strict=True)]
    return tuple(Sample(name, path) for name, path in zip(names, paths, strict=True))


class _Side(NamedTuple):
    """One half of a set of pairs: the pictures, and the folder from which their names are counted."""

    root: Path
    paths: list[Path]


def _sides(folder: Path) -> tuple[_Side, _Side] | None:
    """Return the clean and the degraded half of a set of pairs, or None where the folder is none."""
    for clean, degraded in PAIRED:
        if (folder / clean).is_dir() and (folder / degraded).is_dir():
            root, other = folder / clean, folder / degraded
            inside = [path for path in find_pictures(root) if clean != "." or other not in path.parents]
            return _Side(root, inside), _Side(other, find_pictures(other))
    named = {path: ROLE.search(path.stem) for path in find_pictures(folder, deep=False)}
    roles = {path: role[1].lower() for path, role in named.items() if role}
    sides = [[path for path, role in roles.items() if (role in DEGRADED) == degraded] for degraded in (False, True)]
    bare = [{ROLE.sub("", path.stem).strip("-_ ") for path in side} for side in sides]
    if len(roles) == len(named) and bare[0] & bare[1]:  # all in one folder, told apart by their names
        return _Side(folder, sides[0]), _Side(folder, sides[1])
    return None


def _is_degraded(path: Path, root: Path) -> bool:
    """Return whether a picture lies in a folder of noisy ones or of small ones, as beside CBSD68 and DIV2K."""
    return any(DEGRADED_FOLDER.match(part) for part in path.relative_to(root).parts[:-1])


def _pairs(folder: Path) -> tuple[Sample, ...]:
    sides = _sides(folder)
    if sides is None and (pairs := find_pairs(folder)):
        names = [pair.degraded.relative_to(folder).with_suffix("").as_posix() for pair in pairs]
        return tuple(Sample(name, *pair[:2], pair.enlarged) for name, pair in sorted(zip(names, pairs, strict=True)))
    if sides is None:
        raise UsageError(f"{folder} has no clean/ and degraded/; for clean pictures give `degrade` KIND:SEVERITY")
    (clean_root, clean), (degraded_root, degraded) = sides
    if not clean:
        raise NothingToDo(f"no pictures below {clean_root}")
    pairs = matched((clean_root, clean), (degraded_root, degraded))
    return tuple(Sample(name, *pair) for name, pair in pairs.items())


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def parse_degrade(text: str | None, task: str) -> tuple[Corruption, ...]:
    """Return the ways of `degrade`: a list such as "noise:15,noise:25+jpeg:30", with + for one after another; `unseen`
    stands for all of that kind of a task.

    For inpaint the kinds are those of HOLES, which may come last, after kinds of noise ("noise:15+thick"); for upscale the
    operators with a scale, such as "area:2". Raises UsageError, naming the kinds there are.
    """
    if task in MADE:
        return tuple(MADE[task](word.strip()) for word in (text or "").split(","))
    words = [word.strip() for word in text.split(",")] if text else []
    unseen = [name for name, entry in UNSEEN.items() if entry.task == task]
    words = [name for word in words for name in (unseen if word == "unseen" else [word])]
    if text and not words:
        raise UsageError(f"there is no unseen degradation for {task}; give `degrade` KIND:SEVERITY, or pairs")
    return tuple(_chain([_corruption(link) for link in word.split("+")]) for word in words)


def _chain(links: list[Corruption]) -> Corruption:
    """Return the ways one after another, as one; what each leaves is clipped for the next."""
    if len(links) == 1:
        return links[0]

    def apply(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
        for link in links:
            clean = link.apply(clean, torch.tensor([link.severity]), generator).clamp(0, 1)
        return clean

    return Corruption("+".join(link.name for link in links), links[0].severity, apply)


def _corruption(word: str) -> Corruption:
    kind, _, severity = word.partition(":")
    if kind in UNSEEN and not severity:
        return Corruption(kind, UNSEEN[kind].severity, UNSEEN[kind].apply)
    try:
        entry = DEGRADATIONS[kind]
        level = float(severity) if severity else entry.usual
    except (KeyError, ValueError):
        kinds = ", ".join((*DEGRADATIONS, *UNSEEN))
        raise UsageError(f"`degrade` is KIND:SEVERITY with a kind of {kinds}; got {word!r}") from None
    if not 0 <= level <= entry.largest:
        raise UsageError(f"the severity of {kind} goes from 0 to {entry.largest:g} ({entry.unit}), got {level:g}")
    return Corruption(f"{kind}:{level:g}", level, entry.apply)


AMOUNTS: dict[str, tuple[str, Callable]] = {"pixels": ("share", float), "grid": ("scale", int)}  # what follows a hole's name

RANGES = {"share": (0.01, 1.0), "scale": (2, 16)}


def _holes(word: str) -> Corruption:
    *before, word_of_hole = word.split("+")
    hole = _hole(word_of_hole)
    return _chain([*map(_corruption, before), hole])


def _hole(word: str) -> Corruption:
    kind, _, amount = word.partition(":")
    try:
        draw = HOLES[kind]
        name, number = AMOUNTS[kind] if amount else ("", str)
        options = {name: number(amount)} if amount else {}
        if any(not low <= value <= high for value, (low, high) in ((v, RANGES[k]) for k, v in options.items())):
            raise ValueError
    except (KeyError, ValueError):
        raise UsageError(f"`degrade` of inpaint is one of {', '.join(HOLES)} (pixels:0.8, grid:2); got {word!r}") from None

    def apply(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
        random = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        return with_hole(clean, draw(clean.shape[2], clean.shape[3], random, **options))

    return Corruption(word, 0.0, apply)


def _smaller(word: str) -> Corruption:
    kind, _, amount = word.partition(":")
    if kind not in SHRINKS or amount not in ("2", "3", "4"):
        raise UsageError(f"`degrade` of upscale is {' or '.join(f'{name}:2' for name in SHRINKS)}, 3 or 4; got {word!r}")
    scale = int(amount)

    def apply(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
        return SHRINKS[kind](clean, scale)

    return Corruption(word, scale, apply)


MADE: dict[str, Callable[[str], Corruption]] = {"inpaint": _holes, "upscale": _smaller}


def mask_corruptions(folder: Path) -> tuple[Corruption, ...]:
    """Return a way to degrade for every mask picture in a folder, white where the hole is. Raises UsageError, NothingToDo."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    paths = find_pictures(folder)
    if not paths:
        raise NothingToDo(f"no masks below {folder}")

    def corruption(path: Path) -> Corruption:
        hole = read_picture(path).rgb8()[..., 0] > 127

        def apply(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
            if hole.shape != clean.shape[2:]:
                here = f"{clean.shape[3]} x {clean.shape[2]}"
                raise ImageError(f"{path} has {hole.shape[1]} x {hole.shape[0]} pixels, the picture {here}; `crop` cuts it")
            return with_hole(clean, hole)

        return Corruption(folder.name, 0.0, apply, path.stem)

    return tuple(corruption(path) for path in paths)


def with_hole(clean: Tensor, hole: np.ndarray) -> Tensor:
    """Return (1, 4, H, W): the picture (1, 3, H, W), black in the hole (H, W), and 0 there and 1 elsewhere."""
    known = torch.from_numpy(~hole).to(clean)[None, None]
    return torch.cat([clean * known, known], dim=1)


def cases_of(sample: Sample, corruptions: tuple[Corruption, ...], crop: int | None = None) -> Iterator[Case]:
    """Yield the cases of a picture: its pair, or one for every corruption, drawn by its content, whatever its name and
    order, and rounded to 8 bits. crop: only the middle `crop` x `crop` pixels of clean pictures are taken.

    Raises UsageError for a pair of two sizes, for nothing is resized."""
    clean = read_picture(sample.clean).rgb8()
    if sample.degraded is not None:
        degraded = read_picture(sample.degraded).rgb8()
        degraded = enlarged_to(degraded, clean) if sample.enlarged else degraded
        if degraded.shape != clean.shape:
            sizes = " and ".join(f"{pixels.shape[1]} x {pixels.shape[0]}" for pixels in (degraded, clean))
            raise UsageError(f"{sample.name}: the degraded picture has another size than the clean one ({sizes})")
        yield Case(sample.name, "", degraded, clean)
    if crop is not None and corruptions:
        clean = _middle(clean, crop, crop)
    for corruption in corruptions:
        generator = torch.Generator().manual_seed(Picture(clean, None, "PNG").seed(0))
        degraded = pixels_of(corruption.apply(unit(clean), torch.tensor([corruption.severity]), generator))
        scale = clean.shape[0] // degraded.shape[0]
        kept = np.ascontiguousarray(clean[: degraded.shape[0] * scale, : degraded.shape[1] * scale])  # whole blocks of pixels
        yield Case(" ".join(filter(None, (sample.name, corruption.tag))), corruption.name, degraded, kept)


def _middle(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = max(0, pixels.shape[0] - height) // 2, max(0, pixels.shape[1] - width) // 2
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def unit(pixels: np.ndarray) -> Tensor:
    """Return (H, W, 3) uint8 pixels as (1, 3, H, W) float32 in [0, 1]."""
    return tensor_of(pixels.astype(np.float32) / 255)


def pixels_of(image: Tensor) -> np.ndarray:
    """Return a picture (1, C, H, W) in [0, 1] as (H, W, C) uint8, clipped and rounded."""
    return (image[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
