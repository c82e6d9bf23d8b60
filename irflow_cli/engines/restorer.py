"""Restoration: picture in, picture out. Array -> tiles -> velocity field -> trajectory -> array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.engines.backends import open_engine
from irflow_cli.engines.confidence import confidence_of
from irflow_cli.engines.evidence import Kept, keep_sound
from irflow_cli.engines.fields import velocity_of
from irflow_cli.engines.grey import as_colour, grey_of
from irflow_cli.engines.mosaic import Phase, mosaic_of
from irflow_cli.engines.noise import (
    Noise,
    as_if_three,
    level_of,
    noise_entry,
    noise_of,
    places_of,
    released_entry,
    said_of,
)
from irflow_cli.engines.settings import FULL_SCALE, RELEASED_RULE, RestoreSettings, check_sigma
from irflow_cli.engines.tiling import auto_tile, tiled
from irflow_cli.engines.views import VIEWS, from_view, mean_of_views, view_of
from irflow_cli.errors import CheckpointError, ImageError, require
from irflow_cli.flow.coarse import doubled, half_size
from irflow_cli.flow.samplers import SAMPLERS
from irflow_cli.flow.times import make_times
from irflow_cli.images.picture import Picture, as_depth, top_of, unit_of
from irflow_cli.runtime.checkpoints import Checkpoint, load_checkpoint
from irflow_cli.runtime.device import choose_device
from irflow_cli.seeds import seed_of
from irflow_cli.tasks import task_of
from irflow_cli.tensors import array_of, match_dims, tensor_of

TOGETHER = 16  # pictures that share a call at most, where that gains
BELIEVED = 1.5  # times above or below the noise that is found, as far as a level that is given counts
LITTLE = 0.3  # share of a picture that changed, below which little was found
SOUND = "almost nothing was found to take out; the picture stays as it is"


class Restorer:
    """A network, loaded once, and the settings it is used with."""

    def __init__(self, settings: RestoreSettings, checkpoint: Checkpoint | None = None) -> None:
        settings.check()
        self.settings, self.task = settings, task_of(settings.task)
        self.device = choose_device(settings.device)
        self.checkpoint = checkpoint or load_checkpoint(settings.checkpoint or str(settings.trained_for.checkpoint))
        if self.checkpoint.card.task not in (("prior",) if settings.method == "prior" else (settings.task, "all-in-one")):
            raise CheckpointError(
                f"{self.checkpoint.path} was trained for {self.checkpoint.card.task}, not for "
                + ("a prior" if settings.method == "prior" else settings.task)
            )
        if self.task.sigma_max is not None and self.checkpoint.card.sigma_max is not None:  # a third-party network has its own
            self.task = replace(self.task, sigma_max=float(self.checkpoint.card.sigma_max))
        self.sigma_limit = FULL_SCALE if settings.method == "prior" else self.task.sigma_max
        check_sigma(settings.sigma, self.sigma_limit)
        self.net = self.checkpoint.on(self.device)
        self.ours = settings.method == "flow" and self.checkpoint.card.spec.trainable
        self.two_sizes = self.task.two_sizes and self.ours
        self.multiple = self.net.contract.multiple * (2 if self.two_sizes else 1)  # of where a tile begins
        least = settings.overlap + 2 * self.multiple  # with less, each tile would hardly go beyond the one before
        require(
            settings.tile in (None, 0) or settings.tile >= least,
            f"`tile` must be at least {least} for this network and `overlap`",
        )
        self.engine = open_engine(self.checkpoint, self.device, settings.engine, settings.precision)
        self.steps = settings.steps or (settings.texture and self.task.textured) or self.task.steps
        self.entry = released_entry if settings.sampler == RELEASED_RULE else noise_entry
        self.sampler = SAMPLERS["euler" if settings.sampler == RELEASED_RULE else settings.sampler or self.task.sampler]
        self.grid = settings.grid or self.task.grid
        self.believed: float | None = BELIEVED  # None for a level that counts as it is given
        self.least = self.task.least if self.ours and settings.strength > 0 else None
        once = self.ours and self.steps == 1 and settings.ensemble is None
        self.twice = self.task.twice if once else None

    def restore(
        self, picture: Picture, progress: Callable[[float], None] = lambda share: None
    ) -> tuple[Picture, tuple[str, ...]]:
        """Return the restored picture and notes for the user. Grey stays grey, 16 bits stay 16, alpha is carried through.

        The pixels of `picture` are written over where the memory allows it. `progress` gets the share that is done.
        """
        return self.restore_batch([picture], progress)[0]

    def restore_batch(
        self, pictures: Sequence[Picture], progress: Callable[[float], None] = lambda share: None
    ) -> list[tuple[Picture, tuple[str, ...]]]:
        """Return what `restore` does of each of several pictures of one size and type, which share the calls of the network.

        Those in colour whose channels are the same are worked on as grey; those with noise of a mosaic are seen from its first
        pixel on. Pictures of one such kind share calls.
        """
        greys, done = [grey_of(picture) for picture in pictures], {}
        chosen = [grey or picture for grey, picture in zip(greys, pictures, strict=True)]
        knows = self.ours and self.task.sigma_max is not None  # of a camera's noise
        phases = [mosaic_of(one.pixels) if knows else None for one in chosen]
        kinds = [(grey is not None, phase) for grey, phase in zip(greys, phases, strict=True)]
        for grey, phase in dict.fromkeys(kinds):
            members = [index for index, kind in enumerate(kinds) if kind == (grey, phase)]
            before, part = len(done) / len(pictures), len(members) / len(pictures)
            onward = partial(_onward, progress, before, part)
            together = self._restored([chosen[index] for index in members], phase, onward)
            for index, (picture, notes) in zip(members, together, strict=True):
                done[index] = (as_colour(picture) if grey else picture, notes)
        return [done[index] for index in range(len(pictures))]

    def _restored(
        self, pictures: Sequence[Picture], phase: Phase | None, progress: Callable[[float], None]
    ) -> list[tuple[Picture, tuple[str, ...]]]:
        found = [noise_of(picture.pixels) if self.sigma_limit else 0.0 for picture in pictures]
        sigmas, notes = zip(*(self.sigma_of(*one, phase) for one in zip(pictures, found, strict=True)), strict=True)
        twice = [self.twice is not None and white >= self.twice for white in found]
        stack = [self._workspace(one.pixels) for one in pictures]
        before = [pixels.copy() if self.least else pixels for pixels in stack]
        done = 0
        for top, left, blocks in self.blocks(stack, sigmas, twice, phase or (0, 0)):
            height, width = blocks.shape[1:3]
            for pixels, block in zip(stack, blocks, strict=True):
                pixels[top : top + height, left : left + width] = block
            done += height * width
            progress(done / (stack[0].shape[0] * stack[0].shape[1]))
        remarks = self.engine.remarks()
        results = []
        for picture, old, pixels, said in zip(pictures, before, stack, notes, strict=True):
            kept = self._kept(old, pixels, self.least) if self.least else None
            ended = picture.with_pixels(as_depth(pixels, picture.pixels.dtype))
            results.append((ended, (*said, *self._told(kept), *remarks)))
        return results

    def _kept(self, before: np.ndarray, after: np.ndarray, least: tuple[float, float]) -> Kept:
        """Take back, in place, what was changed by mistake; return what was kept."""
        strength, second = self.settings.strength, self.net.confidence
        believed = None if second is None else confidence_of(second, before, after, strength)
        return keep_sound(before, after, least, strength, self.task.more, believed)

    def _workspace(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels that can be written over: 8 bits as 16 where changes grow afterwards, and their rounding would too."""
        if self.least and self.task.more and pixels.dtype == np.uint8:
            return as_depth(pixels, np.dtype(np.uint16))
        return pixels if pixels.flags.writeable else pixels.copy()

    def _told(self, kept: Kept | None) -> Iterator[str]:
        """Yield what to tell the user of how much was taken out; of noise that is told by its level."""
        if kept is not None and kept.most == 0:
            yield SOUND
        elif kept is not None and self.task.sigma_max is None and kept.area < LITTLE:
            part = "less than 1" if kept.area < 0.01 else f"{100 * kept.area:.0f}"
            yield f"little was found to take out: {part} % of the picture changed"

    def batch_size(self, picture: Picture) -> int:
        """Return how many pictures like this one may share the calls of the network: no more pixels than one tile has."""
        height, width = picture.pixels.shape[:2]
        fit = max(1, auto_tile(self.device) ** 2 // (height * width))
        most = self.settings.batch or (1 if self.device.type == "cpu" else TOGETHER)
        return min(most, fit)

    def sigma_of(self, picture: Picture, found: float, phase: Phase | None = None) -> tuple[float | None, tuple[str, ...]]:
        """Return the noise (0-255 scale) to take out, given or estimated, and what to tell the user about it. found: that of
        `noise_of`. phase: that of `mosaic_of`."""
        limit, given = self.sigma_limit, self.settings.sigma
        if limit is None or given == 0 or (given is not None and not (self.ours and self.believed)):
            return given, ()
        if found > limit:
            level, said = limit, f"estimated noise sigma {found:.1f} is more than this network knows; using {limit:g}"
        elif not self.ours:
            level, said = found, f"estimated noise sigma {found:.1f}"
        else:
            noise = self.noise_seen(picture.pixels, found, phase)
            level, said = min(limit, level_of(found, noise)), said_of(noise)
        if given is None:
            return level, (said,)
        assert self.believed is not None  # else it went back at once
        near = min(limit, max(level / self.believed, min(given, level * self.believed)))
        told = f"{said}; `sigma` {given:g} counts as {near:.1f} (`strength` takes out more or less)"
        return near, (told,) if near != given else ()

    def noise_seen(self, pixels: np.ndarray, sigma: float, phase: Phase | None = None) -> Noise:
        """Return what the network itself takes for noise in some places of pixels (H, W) or (H, W, 3), given `sigma`, in one
        step: more steps leave more of it."""
        places = places_of(pixels, phase)
        clean = self.clean_tensor(places, [max(sigma, 0.5)] * len(places), [torch.Generator()] * len(places), steps=1)
        return Noise.of(places, clean)

    def blocks(
        self, stack: list[np.ndarray], sigmas: Sequence[float | None], twice: Sequence[bool], phase: Phase = (0, 0)
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield (top, left, restored block of each) of pixels (H, W) or (H, W, 3), as numbers in their range. phase: pixels by
        which the network sees them moved down and to the right."""
        height, width = stack[0].shape[:2]
        whole = max(height, width) + self.settings.overlap + self.multiple
        tile = auto_tile(self.device) if self.settings.tile is None else self.settings.tile or whole
        overlap = self.settings.overlap
        known = self.net.contract.size
        if known and self.settings.tile is None:
            tile, overlap = known, min(overlap, known // 4)
        white, exact = top_of(stack[0].dtype), stack[0].dtype.kind == "f"
        drawn = self.settings.method == "prior"  # what makes three channels of grey
        seeds = [seed_of(self.settings.seed, pixels.tobytes()) if drawn else 0 for pixels in stack]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            return torch.cat([tensor_of(unit_of(pixels[top:bottom, left:right])) for pixels in stack])

        def work(part: Tensor) -> Tensor:
            moved = F.pad(part, (phase[1], 0, phase[0], 0), mode="reflect") if any(phase) else part
            restored = self.restore_tensor(moved, sigmas, generators, twice)[..., phase[0] :, phase[1] :]
            return restored - part if exact else restored

        for top, left, block in tiled(work, read, height, width, tile, overlap, self.multiple):
            if exact:  # pixels that do not change stay as they are, to the last bit, and may lie beyond white
                block = block + read(top, top + block.shape[2], left, left + block.shape[3])
            else:
                block = block.clamp_(0, 1).mul_(white).round_()
            values = array_of(block)
            yield top, left, values if stack[0].ndim == 3 else values[..., 0]

    def restore_tensor(
        self,
        degraded: Tensor,
        sigmas: Sequence[float | None],
        generators: Sequence[torch.Generator],
        twice: Sequence[bool] = (),
    ) -> Tensor:
        """Return what `clean_tensor` does, mixed with the degraded pictures or taken beyond as `strength` says."""
        return degraded + self.settings.strength * (self.clean_tensor(degraded, sigmas, generators, twice) - degraded)

    @torch.inference_mode()
    def clean_tensor(
        self,
        degraded: Tensor,
        sigmas: Sequence[float | None],
        generators: Sequence[torch.Generator],
        twice: Sequence[bool] = (),
        steps: int | None = None,
    ) -> Tensor:
        """Return the restored (B, 1 or 3, H, W) float32 pictures, not clipped, on the CPU; `sigmas` and `generators` have one
        for each; twice: which of them are looked at turned, too; steps: those of the settings if None. Cost: the trajectory's
        calls, times eight with `ensemble`, times two for those."""
        levels, colour = list(sigmas), degraded.expand(-1, 3, -1, -1)
        if self.settings.method == "prior" and degraded.shape[1] == 1:
            colour, levels = as_if_three(colour, levels, generators)
        colour = colour.to(self.device)
        views = VIEWS if self.settings.ensemble else 1
        restored = mean_of_views(lambda view: self._found(view_of(colour, view), levels, steps or self.steps), views)
        if again := [one for one, wanted in enumerate(twice) if wanted]:
            turned = self._found(view_of(colour[again], 1), [levels[one] for one in again], steps or self.steps)
            restored[again] = (restored[again] + from_view(turned, 1)) / 2
        restored = restored.cpu()
        return restored.mean(1, keepdim=True) if degraded.shape[1] == 1 else restored

    def _found(self, source: Tensor, sigmas: list[float | None], steps: int) -> Tensor:
        """Return what `_sample` does; where the task says so and more is found at half the size, the mean of both."""
        fine = self._sample(source, sigmas, steps)
        if not self.two_sizes:
            return fine
        small = half_size(source)
        coarse = source + doubled(self._sample(small, sigmas, steps) - small, *source.shape[2:])
        by_coarse, by_fine = _size_around(coarse - source), _size_around(fine - source)
        more = 4 * (by_coarse - by_fine) / (by_coarse + by_fine + 1e-3)
        more = more.clamp(0, 1)  # no sudden change: it would show at tiles
        return fine + more * (coarse - fine) / 2

    def _sample(self, source: Tensor, sigmas: list[float | None], steps: int) -> Tensor:
        clean = torch.tensor([sigma is not None and sigma <= 0 for sigma in sigmas], device=self.device)
        if clean.all():
            return source
        entry = self.entry if self.settings.method == "prior" else self.task.start
        starts = torch.tensor([entry(sigma) for sigma in sigmas], dtype=torch.float64)
        times = make_times(self.grid, steps, starts).to(self.device, torch.float32)
        given, velocity = source, velocity_of(self.engine, source)
        if self.settings.method == "prior":
            velocity, entered = velocity_of(self.engine), match_dims(starts, source)
            source = entered * source + (1 - entered) / 2
        source = source.contiguous(memory_format=torch.channels_last)
        restored = self.sampler(velocity, source, times).state
        if not restored.isfinite().all():
            raise ImageError("its result holds values that are no numbers; give another `checkpoint`")
        return torch.where(clean[:, None, None, None], given, restored)


def _onward(progress: Callable[[float], None], before: float, part: float, share: float) -> None:
    """Tell the share that is done of all pictures, where `share` is that of a part of them."""
    progress(before + part * share)


def _size_around(change: Tensor, side: int = 9) -> Tensor:
    """Return the mean size of changes (B, C, H, W) over a square of `side` around every pixel, (B, 1, H, W)."""
    return F.avg_pool2d(change.abs().mean(1, keepdim=True), side, 1, side // 2, count_include_pad=False)
