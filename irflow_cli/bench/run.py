"""A run of the benchmark: every picture, degraded in every way, through every method, measured and stored as it goes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from irflow_cli.bench.baselines import command, known_baselines, third_party_network
from irflow_cli.bench.environment import environment
from irflow_cli.bench.folder import check_own
from irflow_cli.bench.methods import Method, Result, our_checkpoint, our_methods, prior_methods
from irflow_cli.bench.metrics import MISSING, Scores, SetMetrics, doubts, due, left_out, measure
from irflow_cli.bench.pairs import check_pairs
from irflow_cli.bench.records import (
    Record,
    before_of,
    features_of,
    joint_environment,
    kept_in,
    label_of,
    line_of,
    other_machine,
    read_environment,
    read_records,
    write_records,
)
from irflow_cli.bench.request import BenchRequest, Sweep
from irflow_cli.bench.sets import MADE, Case, Corruption, Sample, cases_of, find_samples, mask_corruptions, parse_degrade
from irflow_cli.bench.views import corner, keep_view, worst_part
from irflow_cli.errors import CheckpointError, ImageError, UsageError, require
from irflow_cli.regular import append_regular
from irflow_cli.runtime.checkpoints import read_card
from irflow_cli.runtime.files import writing
from irflow_cli.tasks import RESTORED, task_of


@dataclass(frozen=True)
class Benchmark:
    """A request that makes sense: its pictures, how they are degraded, the methods, and the metrics left out with why."""

    request: BenchRequest
    samples: tuple[Sample, ...]
    corruptions: tuple[Corruption, ...]
    methods: tuple[Method, ...]
    left_out: dict[str, str]

    @property
    def total(self) -> int:
        """The number of records to come."""
        return len(self.samples) * max(1, len(self.corruptions)) * (1 + len(self.methods))


def prepare(request: BenchRequest) -> Benchmark:
    """Return the run of a request. Raises NothingToDo, UsageError or CheckpointError before any picture is restored: also
    for pairs of two sizes, and for a degraded picture that shows another clean picture than its own."""
    require(request.border >= 0, f"`border` must not be negative, got {request.border}")
    task = request.settings.task
    _check_task(request)
    if request.masks and (request.degrade or task != "inpaint"):
        raise UsageError("`masks` is for `task` inpaint, without `degrade`")
    require(request.crop is None or request.crop >= 16, f"`crop` must be at least 16, got {request.crop}")
    _check_options(request)
    check_own(request.store, request.folder)
    corruptions = mask_corruptions(request.masks) if request.masks else parse_degrade(request.degrade, task)
    if task == "upscale" and len({corruption.name for corruption in corruptions}) > 1:
        raise UsageError("one operator and one scale at a time; measure the others in runs of their own")
    samples = find_samples(request.data, paired=not corruptions)
    if not corruptions:
        check_pairs(samples)
    made = [" ".join((corruption.name, corruption.tag)).strip() for corruption in corruptions]
    if twice := next((name for name in made if made.count(name) > 1), None):
        raise UsageError(f"`degrade` has {twice} more than once; give each once")
    methods = irflow_methods(request, corruptions)
    others = tuple(name for name in request.methods if name not in ("irflow", "irflow-prior"))
    noise = request.settings.sigma if task == "denoise" else None  # those that fill holes take none
    methods += known_baselines(others, task, corruptions[0].severity if task == "upscale" else noise)
    for path in request.baselines:
        methods += _network(path, request, corruptions)
    methods += [command(line) for line in request.commands]
    _check_methods(request, methods)
    run = Benchmark(request, samples, corruptions, tuple(methods), left_out(request.metrics))
    if spare := _spare(run):
        raise UsageError(f"{request.store} holds {spare} too, which would be lost; ask for it again, or give another `report`")
    return run


def _check_task(request: BenchRequest) -> None:
    """Raise UsageError for a task that has no network: it does not ship, and none of one's own is given."""
    task, own = request.settings.task, request.settings.checkpoint or request.baselines or request.commands
    known = [*RESTORED, *MADE]
    if task_of(task).prior:
        raise UsageError("`task`: a prior is measured by inpaint or upscale; give one of them")
    if task not in known and not own:
        raise UsageError(f"unknown `task` {task!r}; there are {', '.join(known)}; one of your own needs its `checkpoint`")


def _check_methods(request: BenchRequest, methods: list[Method]) -> None:
    """Raise UsageError for options of irflow's that none of the methods has, for methods that cannot be told apart, and for
    none."""
    settings, ours = request.settings, request.baselines or {"irflow", "irflow-prior"}.intersection(request.methods)
    given = (settings.ensemble, settings.checkpoint, request.sweep, request.presets)
    if not ours and given != (None, None, Sweep(), ("auto",)):
        raise UsageError("`checkpoint` and how to sample are irflow's, which is not among `methods`; add it, or leave them out")
    names = [", ".join(filter(None, (method.name, str(method.steps or ""), method.variant))) for method in methods]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two methods are called {name}; give each once, or rename the file")
        if name == "input":
            raise UsageError("a method cannot be called input, as the records of the inputs are; rename the file")
    if not methods:
        raise UsageError(f"there is nothing to measure: no baseline for {settings.task} is installed; add irflow to `methods`")


def _spare(run: Benchmark) -> str | None:
    """Return what the store has records of that the run has not."""
    store, task = run.request.store, run.request.settings.task
    records = read_records(store) if store is not None and store.is_file() else []
    methods = {("input", 0, ""), *((method.name, method.steps, method.variant) for method in run.methods)}
    degrades = {corruption.name for corruption in run.corruptions} or {""}
    return next(
        (label_of(record.key, task) for record in records if record.key[0] not in degrades or record.key[1:] not in methods),
        None,
    )


def irflow_methods(request: BenchRequest, corruptions: tuple[Corruption, ...]) -> list[Method]:
    """Return the methods of a request that are irflow's own. Raises as they do."""
    methods: list[Method] = []
    if "irflow" in request.methods:
        if request.settings.task in MADE:
            methods += prior_methods(request.settings, request.presets, corruptions)
        else:
            methods += our_methods(request.settings, request.sweep)
    if "irflow-prior" in request.methods:
        given = None if "irflow" in request.methods else request.settings.checkpoint  # else it is that of the other
        methods += our_methods(replace(request.settings, method="prior", checkpoint=given), request.sweep, "irflow-prior")
    return methods


def _check_options(request: BenchRequest) -> None:
    """Raise UsageError for options that would do nothing."""
    settings, of_prior = request.settings, request.settings.task in MADE
    plain = settings.ensemble is None and request.sweep == Sweep()
    require(not of_prior or plain, f"`steps`, `grid`, `strength` and the like are of restore; give {settings.task} `presets`")
    require(
        of_prior or request.presets == ("auto",),
        f"`presets` are those of inpaint and upscale, not of {settings.task}; give `steps`",
    )
    require(
        not request.crop or of_prior or bool(request.degrade),
        "`crop` cuts clean pictures, not pairs; give `degrade` or leave it out",
    )


def _network(path: Path, request: BenchRequest, corruptions: tuple[Corruption, ...]) -> list[Method]:
    if not path.is_file():
        raise CheckpointError(f"`baselines` {path} does not exist")
    try:
        read_card(path)
    except CheckpointError:
        scale = int(corruptions[0].severity) if request.settings.task == "upscale" else 1
        return [third_party_network(path, request.settings, scale)]
    if request.settings.task in MADE:
        return prior_methods(replace(request.settings, checkpoint=str(path)), request.presets, corruptions, path.stem)
    return our_checkpoint(path, request.settings, request.sweep)


def bench(run: Benchmark, progress: Callable[[float], None] = lambda done: None) -> Iterator[Record]:
    """Yield a record for the input and one for every method, picture by picture; what is stored is not measured again.

    A method that fails on a picture is a record with its error. At the end the store holds the records of this run and no
    others, and the date of the last time that something was measured.
    """
    request, threads = run.request, cv2.getNumThreads()
    made_with, changed, left_out = _made_with(request), anew(request), frozenset(run.left_out)
    kept = {} if changed else kept_in(request.store)
    before = read_environment(request.store) if kept and request.store else made_with
    if request.store is not None:
        if changed:  # kept until there are all records again
            request.store.replace(before_of(request.store))
        write_records(request.store, list(kept.values()), before)  # without a last line that was cut off
    fresh: set[str] = set()
    records: list[Record] = []
    sets = SetMetrics(left_out, request.store and features_of(request.store))
    cv2.setNumThreads(torch.get_num_threads())
    try:
        for sample in run.samples:
            try:
                cases = list(cases_of(sample, run.corruptions, request.crop))
            except ImageError as error:
                for record in _unread(run, sample, str(error)):
                    records.append(record)
                    _append(request.store, record)
                    yield record
                    progress(len(records))
                continue
            ends = {case.degrade: case for case in cases} if sample is run.samples[-1] else {}  # masks share a name
            for case in cases:
                top, left = worst_part(case)
                keep_view(request.folder, case, "clean", case.clean[top:, left:])
                for method in (None, *run.methods):
                    record, pixels = kept.get(_place(case, method, request.border)), None
                    wanted = due(min(case.clean.shape[:2]) - 2 * request.border, left_out)
                    if record is not None and any(math.isnan(getattr(record.scores, metric)) for metric in wanted):
                        record = None  # it was measured before there was what the metric needs
                    name = f"{case.digest}-{_file_of(method)}"
                    if record is not None and sets.names:
                        record = replace(record, scores=replace(record.scores, **dict.fromkeys(sets.names, MISSING)))
                        sets.recall(record.key, name)
                    elif record is None:
                        record, pixels = _measured(run, case, method, fresh)
                        if record.error is None:
                            sets.add(record.key, name, pixels, case.clean)
                        keep_view(request.folder, case, _file_of(method), pixels[top:, left:])
                    if case is ends.get(case.degrade):
                        count = len(run.samples) * sum(one.degrade == case.degrade for one in cases)
                        record = _with_set(record, sets.of(record.key, count), bool(sets.names))
                    if pixels is not None:
                        _append(request.store, record)
                    records.append(record)
                    yield record
                    progress(len(records))
        if request.store is not None:
            write_records(request.store, records, joint_environment(made_with, before, records, kept))
            before_of(request.store).unlink(missing_ok=True)
    finally:
        cv2.setNumThreads(threads)


def _unread(run: Benchmark, sample: Sample, error: str) -> Iterator[Record]:
    """Yield the records of a picture that cannot be read: a failure of every method."""
    for corruption in run.corruptions or (None,):
        degrade = corruption.name if corruption else ""
        for method in (None, *run.methods):
            named = ("input", 0, "") if method is None else (method.name, method.steps, method.variant)
            yield Record(
                sample.name,
                named[0],
                named[1],
                Scores(),
                task=run.request.settings.task,
                degrade=degrade,
                variant=named[2],
                border=run.request.border,
                identity="" if method is None else method.identity,
                error=error,
            )


def _with_set(record: Record, metrics: dict[str, float] | None, wanted: bool) -> Record:
    """Return the last record of a set with the set's metrics, or with the reason why there are none."""
    if metrics is not None:
        return replace(record, scores=replace(record.scores, **metrics))
    why = "FID and KID need the whole set in one run; remove the old report to have them"
    return replace(record, notes=(*record.notes, why)) if wanted and record.error is None else record


def _made_with(request: BenchRequest) -> dict[str, str]:
    return {"set": f"{request.data.resolve().name}, {request.settings.task}", **environment(request.settings)}


def anew(request: BenchRequest) -> tuple[str, ...]:
    """Return what today's run would be made with that the stored records were not, such as "threads": their times do not go
    together, and all is measured again. Raises UsageError where the records are of another set."""
    before = read_environment(request.store) if request.store else {}
    now = _made_with(request)
    if before.get("set", now["set"]) != now["set"]:
        raise UsageError(f"{request.store} holds results of {before['set']}; give another `report`")
    return other_machine(before, now) if request.timed else ()


def _place(case: Case, method: Method | None, border: int) -> tuple:
    return case.digest, case.degrade, case.picture, "" if method is None else method.identity, border


def _append(store: Path | None, record: Record) -> None:
    if store is not None:
        with writing(store), append_regular(store) as file:
            file.write(line_of(record).encode())


def _measured(run: Benchmark, case: Case, method: Method | None, fresh: set[str]) -> tuple[Record, np.ndarray]:
    """Return the record of a case and the pixels it was measured on (the input's where the method failed)."""
    request, left_out = run.request, frozenset(run.left_out)
    record = Record(
        picture=case.picture,
        method="input" if method is None else method.name,
        steps=0 if method is None else method.steps,
        scores=Scores(),
        task=request.settings.task,
        degrade=case.degrade,
        variant="" if method is None else method.variant,
        parameters=None if method is None else method.parameters,
        border=request.border,
        digest=case.digest,
        identity="" if method is None else method.identity,
    )
    if min(case.clean.shape[:2]) <= 2 * request.border:
        return replace(record, error=f"{case.picture}: nothing is left when `border` {request.border} is cut off"), case.seen
    if method is None:
        scores = Scores(**measure(case.seen, case.clean, request.border, left_out))
        notes = doubts(case.degraded, case.clean, "the degraded picture") if not case.degrade else ()
        return replace(record, scores=scores, notes=notes), case.seen
    try:
        if method.identity not in fresh:
            fresh.add(method.identity)
            with contextlib.suppress(Exception):  # to warm up; what fails here may work on a whole picture
                method.run(corner(case.degraded))
        result = method.run(case.degraded.copy())
        _check(result, case)
    except Exception as error:  # memory that runs out is a failure, too
        return replace(record, error=" ".join(str(error).split()) or type(error).__name__), case.seen
    megapixels = case.clean.shape[0] * case.clean.shape[1] / 1e6
    speed = {"seconds_per_mp": result.seconds / megapixels, "peak_mib": result.mib, "nfe": result.nfe}
    scores = Scores(**measure(result.pixels, case.clean, request.border, left_out), **speed)
    return replace(record, scores=scores, notes=doubts(result.pixels, case.clean, "the result")), result.pixels


def _check(result: Result, case: Case) -> None:
    if result.pixels.shape != case.clean.shape or result.pixels.dtype != np.uint8:
        sizes = [f"{pixels.shape[1]} x {pixels.shape[0]}" for pixels in (result.pixels, case.clean)]
        raise ValueError(f"the result is {sizes[0]}, the picture {sizes[1]}; nothing is resized")


def _file_of(method: Method | None) -> str:
    return "input" if method is None else method.identity
