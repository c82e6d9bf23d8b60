"""What is to be measured, with every default. No torch here, so that the command line can read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from irflow_cli.engines.settings import RestoreSettings


@dataclass(frozen=True)
class Sweep:
    """The settings of irflow that are measured: every combination of these values."""

    steps: tuple[int, ...] = (1,)
    grids: tuple[str | None, ...] = (None,)
    strengths: tuple[float, ...] = (1.0,)
    samplers: tuple[str | None, ...] = (None,)


@dataclass(frozen=True)
class BenchRequest:
    """What to measure. data: pairs, matched by name, or clean pictures with `degrade`, such as "noise:25,noise:50".

    methods: "irflow" and names of BASELINES. baselines: files of networks. commands: lines with {in} and {out}. border: pixels
    cut from each side before measuring. store: the file of results, where an interrupted run goes on. folder: where the report
    and parts of pictures are kept. masks: folder of holes, for inpaint. crop: side of the middle part of clean pictures that
    is taken. presets: those of a prior, for inpaint and upscale. metrics: names of METRICS; none: all that can be had here.
    timed: whether time and memory count, so that records of another machine are not kept.
    """

    data: Path
    settings: RestoreSettings
    sweep: Sweep = field(default_factory=Sweep)
    degrade: str | None = None
    methods: tuple[str, ...] = ("irflow",)
    baselines: tuple[Path, ...] = ()
    commands: tuple[str, ...] = ()
    border: int = 0
    store: Path | None = None
    folder: Path | None = None
    masks: Path | None = None
    crop: int | None = None
    presets: tuple[str, ...] = ("auto",)
    metrics: tuple[str, ...] = ()
    timed: bool = True
