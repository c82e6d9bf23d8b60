"""The public Python API: pictures as Pillow images or numpy arrays, in and out, and no files but those of checkpoints.

`Restorer`, `Inpainter` and `Upscaler` load a network once and are called on many pictures; `restore`, `inpaint` and `upscale`
do that for a single one. Everything here raises UsageError for pictures and settings that make no sense, ImageError for what
cannot be worked on, CheckpointError and DeviceError, each of which names its setting as `error.field`.

A picture is a Pillow image (L, LA, RGB, RGBA or I;16; 1, P, CMYK and YCbCr come back as one of those) or an array (H, W),
(H, W, 2), (H, W, 3) or (H, W, 4) of uint8, uint16, or finite float with white at 1. It is not modified. Alpha, the last of two
or four channels, is carried through. Float pixels that count otherwise need `range`, their black and white, such as (0, 255).
Results are of the same type and depth.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from PIL import Image

from irflow_cli.engines import inpainter, restorer, upscaler
from irflow_cli.engines.arrays import AnyPicture, finite, mask_values, opened
from irflow_cli.engines.holes import check_spread, spread_hole
from irflow_cli.engines.settings import OPERATOR, SCALE, RestoreSettings, SamplerSettings
from irflow_cli.errors import UsageError, require
from irflow_cli.images.picture import Picture, top_of
from irflow_cli.images.span import Given, pair_of
from irflow_cli.kinds import check_kind
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint
from irflow_cli.runtime.defaults import usual_defaults
from irflow_cli.tasks import MAX_PIXELS

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Inpainter", "Restorer", "Upscaler", "inpaint", "load_checkpoint", "restore", "upscale"]

AnyCheckpoint = Checkpoint | str | Path | None  # loaded, or a name, or a file's path; None: the one that ships


class RestoreOptions(TypedDict, total=False):
    """How to restore: fields of `engines.settings.RestoreSettings`, which says what they mean and their defaults."""

    steps: int | None
    grid: str | None
    sampler: str | None
    sigma: float | None
    strength: float
    texture: bool
    ensemble: bool | None
    tile: int | None
    overlap: int
    device: str
    engine: str
    precision: str
    seed: int
    method: str
    batch: int | None


class SamplerOptions(TypedDict, total=False):
    """How to sample: fields of `engines.settings.SamplerSettings`, which says what they mean and their defaults."""

    preset: str | None
    sampler: str | None
    steps: int | None
    corrections: int | None
    start: float | None
    stop: float | None
    weight: float | None
    sigma: float
    device: str
    engine: str
    precision: str
    seed: int


class Restorer:
    """A network for a task, loaded once: derain, denoise or deraindrop.

    Examples:
        >>> derain = Restorer("derain", steps=2)
        >>> derain(np.zeros((4, 6, 3), np.uint8)).shape
        (4, 6, 3)
        >>> [one.shape for one in derain.batch([np.zeros((4, 6), np.uint8), np.zeros((8, 8, 4), np.uint16)])]
        [(4, 6), (8, 8, 4)]
    """

    @usual_defaults()
    def __init__(
        self, task: str, *, checkpoint: AnyCheckpoint = None, range: Given = None, **options: Unpack[RestoreOptions]
    ) -> None:
        _check_names("restore and Restorer", options, RestoreOptions)
        loaded, name = _given(checkpoint)
        self.range = pair_of(range)
        self.engine = restorer.Restorer(RestoreSettings(task=task, checkpoint=name, **options), loaded)
        self.notes: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Checkpoint:
        """The network with its card; other objects can be given it, so that it is loaded once."""
        return self.engine.checkpoint

    @usual_defaults()
    def __call__(self, picture: AnyPicture) -> AnyPicture:
        """Return the restored picture. `notes` is then what is worth knowing of it, such as the noise that was found."""
        own, back = opened(picture, self.range)
        done, self.notes = self.engine.restore(finite(own))
        return back(done)

    @usual_defaults()
    def batch(self, pictures: Sequence[AnyPicture]) -> list[AnyPicture]:
        """Return the restored pictures, in order. Those of one size and type share calls of the network: as many as fill a tile
        or, with the option `batch`, as that says; on a CPU one by one unless it says otherwise. `notes` are those of all."""
        own = [opened(picture, self.range) for picture in _several(pictures)]
        kinds: dict[tuple[object, ...], list[int]] = {}
        for index, (picture, _) in enumerate(own):
            kinds.setdefault((picture.pixels.shape, picture.pixels.dtype), []).append(index)
        done: dict[int, Picture] = {}
        notes: dict[int, tuple[str, ...]] = {}
        for members in kinds.values():
            most = self.engine.batch_size(own[members[0]][0])
            for start in range(0, len(members), most):
                group = members[start : start + most]
                together = self.engine.restore_batch([finite(own[index][0]) for index in group])
                for index, (picture, said) in zip(group, together, strict=True):
                    done[index], notes[index] = picture, said
        self.notes = tuple(note for index in sorted(notes) for note in notes[index])
        return [back(done[index]) for index, (_, back) in enumerate(own)]


class Inpainter:
    """A prior, loaded once, that fills holes; all other pixels are the picture's own, bit for bit.

    Examples:
        >>> fill = Inpainter(preset="fast")
        >>> fill(np.zeros((40, 40), np.uint8), np.eye(40, dtype=bool)).shape
        (40, 40)
    """

    @usual_defaults()
    def __init__(self, *, checkpoint: AnyCheckpoint = None, range: Given = None, **options: Unpack[SamplerOptions]) -> None:
        _check_names("inpaint and Inpainter", options, SamplerOptions)
        loaded, name = _given(checkpoint)
        self.range = pair_of(range)
        self.engine = inpainter.Inpainter(SamplerSettings(checkpoint=name, **options), loaded)
        self.notes: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Checkpoint:
        """The network with its card; other objects can be given it, so that it is loaded once."""
        return self.engine.prior.checkpoint

    @usual_defaults()
    def __call__(
        self,
        picture: AnyPicture,
        mask: Image.Image | np.ndarray,
        *,
        dilate: int = 0,
        feather: int = 0,
        seed: int | None = None,
    ) -> AnyPicture:
        """Return the picture with its missing pixels filled; they may be anything, nan too.

        mask: (H, W), above half of white, or True, where the picture is missing; as a Pillow image it may have channels, all
        of them equal. dilate: pixels by which the hole grows. feather: pixels around it over which the filling fades into the
        picture. seed: of this call, None for the option's. `notes` is then what is worth knowing of the result.
        """
        values = mask_values(mask)
        inside = values if values.dtype == bool else values > top_of(values.dtype) / 2
        if not inside.any():
            raise UsageError("`mask` is empty; what is missing is True, or above half of white")
        check_spread(dilate, feather)
        own, back = opened(picture, self.range)
        if own.pixels.shape[:2] != inside.shape:
            raise UsageError(f"`mask` is {inside.shape}, the picture {own.pixels.shape[:2]} (rows, columns)")
        hole = spread_hole(inside, dilate, feather)
        known = ~hole.inside if hole.weight is None else hole.weight < 1
        check_kind("seed", seed, "int | None")
        seed = self.engine.prior.settings.seed if seed is None else seed
        own = finite(own, known)
        done = self.engine.fill(own, hole, seed)
        self.notes = (*inpainter.remarks_on(own, hole), *self.engine.prior.engine.remarks())
        return back(done)


class Upscaler:
    """A prior, loaded once, that enlarges pictures `scale` (2, 3 or 4) times as high and wide.

    operator: how they were made smaller: "area", each pixel a mean, as files are, or "grid", every n-th pixel. Made smaller
    again the same way, a result is the picture, to within one of 255 grey levels. max_pixels: those of the largest result.
    """

    @usual_defaults()
    def __init__(
        self,
        scale: int = SCALE,
        *,
        operator: str = OPERATOR,
        max_pixels: int = MAX_PIXELS,
        checkpoint: AnyCheckpoint = None,
        range: Given = None,
        **options: Unpack[SamplerOptions],
    ) -> None:
        _check_names("upscale and Upscaler", options, SamplerOptions)
        loaded, name = _given(checkpoint)
        self.range = pair_of(range)
        self.engine = upscaler.Upscaler(SamplerSettings(checkpoint=name, **options), scale, operator, loaded)
        self.max_pixels = max_pixels
        self.notes: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Checkpoint:
        """The network with its card; other objects can be given it, so that it is loaded once."""
        return self.engine.prior.checkpoint

    @usual_defaults()
    def __call__(self, picture: AnyPicture) -> AnyPicture:
        """Return the picture enlarged; alpha is enlarged by bicubic interpolation. `notes` is then what is worth knowing."""
        own, back = opened(picture, self.range)
        own = finite(own)
        done = self.engine.enlarge(own, self.max_pixels)
        self.notes = (*upscaler.remarks_on(own), *self.engine.prior.engine.remarks())
        return back(done)


def restore(
    picture: AnyPicture, task: str, *, checkpoint: AnyCheckpoint = None, range: Given = None, **options: Unpack[RestoreOptions]
) -> AnyPicture:
    """Return one picture restored; see `Restorer`.

    Examples:
        >>> restore(np.zeros((4, 6, 3), np.uint8), "derain").shape
        (4, 6, 3)
    """
    return Restorer(task, checkpoint=checkpoint, range=range, **options)(picture)


def inpaint(
    picture: AnyPicture,
    mask: Image.Image | np.ndarray,
    *,
    checkpoint: AnyCheckpoint = None,
    range: Given = None,
    dilate: int = 0,
    feather: int = 0,
    **options: Unpack[SamplerOptions],
) -> AnyPicture:
    """Return one picture with its missing pixels filled; see `Inpainter`."""
    return Inpainter(checkpoint=checkpoint, range=range, **options)(picture, mask, dilate=dilate, feather=feather)


def upscale(
    picture: AnyPicture,
    scale: int = SCALE,
    *,
    operator: str = OPERATOR,
    max_pixels: int = MAX_PIXELS,
    checkpoint: AnyCheckpoint = None,
    range: Given = None,
    **options: Unpack[SamplerOptions],
) -> AnyPicture:
    """Return one picture enlarged; see `Upscaler`."""
    return Upscaler(scale, operator=operator, max_pixels=max_pixels, checkpoint=checkpoint, range=range, **options)(picture)


def _check_names(functions: str, options: Mapping[str, object], known: type) -> None:
    """Raise UsageError for the first option that functions do not have. known: the TypedDict of those they have."""
    for name in options:
        require(
            name in known.__annotations__, f"`{name}` is no option of {functions}; there are {', '.join(known.__annotations__)}"
        )


def _several(pictures: Sequence[AnyPicture]) -> Sequence[AnyPicture]:
    """Return pictures. Raises UsageError for a single picture."""
    single = isinstance(pictures, np.ndarray) and (pictures.ndim < 3 or (pictures.ndim == 3 and pictures.shape[2] in (2, 3, 4)))
    if single or isinstance(pictures, (str, bytes)) or not isinstance(pictures, Iterable):
        raise UsageError(f"give a list of pictures, got {'a single one' if single else type(pictures).__name__}")
    return pictures


def _given(checkpoint: AnyCheckpoint) -> tuple[Checkpoint | None, str | None]:
    """Return the checkpoint that is loaded already, if it is, and its name."""
    if isinstance(checkpoint, Checkpoint):
        return checkpoint, str(checkpoint.path)
    if not isinstance(checkpoint, (str, os.PathLike, type(None))):
        raise UsageError(f"`checkpoint` is one that is loaded, a name or a path, got {type(checkpoint).__name__}")
    return None, None if checkpoint is None else str(checkpoint)
