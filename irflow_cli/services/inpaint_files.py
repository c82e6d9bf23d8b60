"""Pictures in files, filled where masks say they are missing."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from irflow_cli.batch.plan import STREAM, Files, Job, part_of, plan
from irflow_cli.batch.run import Operation, Progress, work_through
from irflow_cli.batch.store import Outcome, recoded
from irflow_cli.engines.inpainter import Inpainter, remarks_on
from irflow_cli.engines.settings import FILLING, SamplerSettings
from irflow_cli.errors import UsageError
from irflow_cli.images.picture import Picture
from irflow_cli.images.span import parse_range
from irflow_cli.services.identity import identity_of
from irflow_cli.services.masks import MaskSettings, hole_of

UNUSED = "this mask is unused: no picture has its name"


@dataclass(frozen=True)
class InpaintRequest:
    """Pictures to fill, where their holes are, how to sample, and how many proposals to make of each."""

    files: Files
    masks: MaskSettings
    sampling: SamplerSettings = field(default_factory=SamplerSettings)
    samples: int = 1

    def plan(self) -> list[Job]:
        """Return the jobs, one for each proposal; raises UsageError and NothingToDo before any work is done."""
        self.masks.check()
        self.sampling.check(FILLING)
        if not 1 <= self.samples <= 100:
            raise UsageError(f"`samples` goes from 1 to 100, got {self.samples}")
        if self.samples > 1 and str(STREAM) in (str(self.files.output), *self.files.inputs):
            raise UsageError("several `samples` are several files, - is one; give files or folders")
        return plan(self.files, self.samples, self.masks.pair, self.masks.mask)

    def inpainter(self) -> Inpainter:
        """Return the prior that fills, loaded. Several proposals are sampled as by `varied` unless a preset is named: those
        of the default would be almost one. Raises UsageError for samplers with one result, and as `Prior` does."""
        several = self.samples > 1
        found = Inpainter(replace(self.sampling, preset=self.sampling.preset or ("varied" if several else None)))
        if several and not found.prior.schedule.draws:
            raise UsageError("this sampler has one result, whatever the seed; for several `samples` use `preset` varied")
        return found


def inpaint_files(
    request: InpaintRequest, progress: Progress = lambda done: None, stop: threading.Event | None = None
) -> Iterator[Outcome]:
    """Fill every picture of a request and yield what became of each. Raises before any work if it makes no sense."""
    jobs = request.plan()
    inpainter = request.inpainter()
    lost = [Outcome(Job(mask, mask), "unused", notes=(UNUSED,)) for mask in _unused_masks(request, jobs)]
    span = parse_range(request.files.range)
    masks = replace(request.masks, mask=None)  # a mask's content counts, not its name

    def work(job: Job, picture: Picture, progress: Progress) -> tuple[Picture, tuple[str, ...]]:
        hole = hole_of(request.masks, picture, job.mask, request.files.max_pixels, span)
        turned = "; `invert` if black is what is missing" if job.mask and not request.masks.invert else ""
        notes = (*recoded(job, request.files, picture), *remarks_on(picture, hole, turned))
        filled = inpainter.fill(picture, hole, request.sampling.seed + job.sample, progress)
        notes += inpainter.prior.engine.remarks()
        return filled.opaque() if request.masks.from_alpha else filled, notes  # nothing is transparent any more

    prior = inpainter.prior
    drawn = prior.schedule.draws or prior.schedule.exemplar  # what is copied is searched for from the seed on
    identity = identity_of(f"inpaint {masks}", prior.settings, prior.checkpoint.card, drawn)
    operation = Operation(work, identity, opaque=request.masks.from_alpha, begin=prior.engine.open)
    done = work_through(jobs, operation, request.files, progress=progress, stop=stop)
    return itertools.chain(lost, done)


def _unused_masks(request: InpaintRequest, jobs: list[Job]) -> list[Path]:
    """Return the masks of a folder that no picture of the folders given has; of several shards the first one tells them."""
    files = request.files
    if not any(Path(given).is_dir() for given in files.inputs):  # single files out of more
        return []
    if files.shard is not None:
        if part_of(files.shard)[0] != 1:
            return []
        every = replace(files, shard=None, overwrite=True, skip_existing=False, resume=False)
        jobs = replace(request, files=every).plan()
    return request.masks.spare([job.mask for job in jobs], deep=files.recursive)
