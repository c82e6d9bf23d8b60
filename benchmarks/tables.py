"""The runs behind the tables of README.md and docs/, by suite and by the name that a table has on its page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from networks import public_methods

from irflow_cli.bench.request import BenchRequest, Sweep
from irflow_cli.bench.run import Benchmark, prepare
from irflow_cli.engines.settings import RestoreSettings


@dataclass(frozen=True)
class Entry:
    """A table of a suite. data: the name of its folder below the given one, and how many pictures it has. methods: "irflow"
    and baselines. networks: folder, beside the sets, of public networks that are measured too. plotted: with the curve of
    distortion and perception. brief: with fewer metrics."""

    data: str
    pictures: int
    title: str
    task: str
    degrade: str | None = None
    steps: tuple[int, ...] = (1, 2, 4)
    methods: tuple[str, ...] = ("irflow",)
    networks: str | None = None
    crop: int | None = None
    presets: tuple[str, ...] = ()
    grids: tuple[str | None, ...] = (None,)
    samplers: tuple[str | None, ...] = (None,)
    strengths: tuple[float, ...] = (1.0,)
    sigma: float | None = None
    plotted: bool = False
    brief: bool = False

    @property
    def command(self) -> str:
        """The command that measures the same."""
        options = [f"--degrade {self.degrade}"] if self.degrade else []
        options += [f"--sigma {self.sigma:g}"] if self.sigma is not None else []
        options += [f"--methods {','.join(self.methods)}"] if self.methods != ("irflow",) else []
        options += [f"--crop {self.crop}"] if self.crop else []
        options += [f"--sampler {','.join(map(str, self.samplers))}"] if self.samplers != (None,) else []
        options += [f"--grid {','.join(map(str, self.grids))}"] if self.grids != (None,) else []
        options += (
            [f"--strength {','.join(f'{strength:g}' for strength in self.strengths)}"] if self.strengths != (1.0,) else []
        )
        sweep = f"--presets {','.join(self.presets)}" if self.presets else f"--steps {','.join(map(str, self.steps))}"
        begin = f"irflow bench {self.data}/ --task {self.task}"
        if self.networks:
            begin = f"python benchmarks/networks.py {self.networks}/ {self.task} {self.data}/"
        return " ".join([begin, *options, sweep])

    def request(self, data: Path, settings: RestoreSettings) -> BenchRequest:
        """Return what is to be measured on the set below `data`."""
        return BenchRequest(
            data / self.data,
            replace(settings, task=self.task, steps=None, sigma=self.sigma),
            Sweep() if self.presets else Sweep(self.steps, self.grids, self.strengths, self.samplers),
            self.degrade,
            self.methods,
            crop=self.crop,
            presets=self.presets or ("auto",),
            timed=False,
        )

    def prepared(self, data: Path, settings: RestoreSettings, store: Path) -> Benchmark:
        """Return the run with the public networks, whose records are kept in `store`. Raises as `prepare` does."""
        request = self.request(data, settings)
        if not self.networks:
            return prepare(replace(request, store=store))
        run, others = prepare(request), public_methods(data / self.networks, self.task, settings.sigma)
        return replace(run, request=replace(request, store=store), methods=(*run.methods, *others))


CLASSICAL = ("irflow", "opencv-nlm", "nlm", "wavelet")
FILLING = ("irflow", "telea", "navier-stokes", "biharmonic")
FOUR: dict = {  # the same pictures as in the title, in a folder of their own
    "data": "kodak24-four",
    "pictures": 4,
    "title": "Kodak24 (3, 9, 15 and 21), the middle 256 x 256",
    "crop": 256,
    "brief": True,
}
SMALL: dict = {**FOUR, "title": "Kodak24 (3, 9, 15 and 21), the middle 128 x 128", "crop": 128}
DRAWN: dict = {"plotted": True, "brief": True}
POINTS = ("fast", "smooth", "texture")
EQUAL = (  # the guided samplers at about 48 calls, from noise, with the numbers that their papers have for this
    *("pixelwise:48", "restora:16:1", "replacement:48", "repaint:24:1", "ddnm:48:0", "bridge:48", "pnp:48:1", "pnp=0.5:48:1"),
    *("hqs:48", "hqs:48:0:0.8"),  # without noise, and as `upscale` begins it: late, in a guess
    *("ot-ode:48", "ot-ode=0.5:48", "flow-priors:24:1", "d-flow:4:4"),
)
SUITES: dict[str, dict[str, Entry]] = {
    "readme": {
        "cbsd68": Entry("cbsd68", 68, "CBSD68", "denoise", "noise:25", methods=CLASSICAL, networks="networks/noise"),
        "rain100h": Entry("rain100h", 100, "Rain100H", "derain", networks="networks/rain100h"),
        "rain100l": Entry("rain100l", 100, "Rain100L", "derain", networks="networks/rain100l"),
        "raindrop": Entry("raindrop", 2, "RainDrop", "deraindrop"),
        "cbsd68-levels": Entry("cbsd68", 68, "CBSD68", "denoise", "noise:15,noise:50", (1,)),
        "mcmaster": Entry("mcmaster", 18, "McMaster", "denoise", "noise:25", (1,)),
        "unseen-noise": Entry("mcmaster", 18, "McMaster", "denoise", "unseen", (1,)),
        "unseen-rain": Entry("mcmaster", 18, "McMaster", "derain", "unseen", (2,)),
        "unseen-drops": Entry("mcmaster", 18, "McMaster", "deraindrop", "unseen", (2,)),
        "kodak24": Entry("kodak24", 24, "Kodak24", "denoise", "noise:25", (1,)),
        "kodak24-stored": Entry(
            "kodak24",
            24,
            "Kodak24",
            "denoise",
            "noise:15+jpeg:10,noise:25+jpeg:30,camera:20+jpeg:15",
            (1,),
            ("irflow", "nlm"),
        ),
        "inpaint": Entry(
            "kodak24",
            24,
            "Kodak24, the middle 256 x 256",
            "inpaint",
            "thin,thick,pixels:0.8",
            methods=FILLING,
            crop=256,
            presets=("fast", "smooth", "auto"),
        ),
        "inpaint-paper": Entry(
            "kodak24-four",
            4,
            "Kodak24 (3, 9, 15 and 21), the middle 128 x 128",
            "inpaint",
            "thin,thick,pixels:0.8",
            crop=128,
            presets=("paper", "texture", "varied", "auto", "smooth", "fast"),
        ),
        "upscale": Entry(
            "kodak24",
            24,
            "Kodak24, the middle 256 x 256",
            "upscale",
            "area:2",
            methods=("irflow", "bicubic", "lanczos"),
            crop=256,
            presets=("auto",),
        ),
        "prior": Entry("cbsd68", 68, "CBSD68", "denoise", "noise:25", (1,), ("irflow-prior",)),
    },
    "curves": {
        "curve-noise": Entry(
            **FOUR, task="denoise", degrade="noise:25", steps=(1, 2, 3, 4, 8, 16), grids=("released", "uniform"), plotted=True
        ),
        "curve-rain": Entry(
            "rain100h-seven",
            7,
            "Rain100H (every twelfth from 4)",
            "derain",
            steps=(1, 2, 3, 4, 8),
            grids=("released", "uniform"),
            **DRAWN,
        ),
        "curve-drops": Entry(
            "raindrop",
            2,
            "RainDrop",
            "deraindrop",
            steps=(1, 2, 4, 8),
            grids=("released", "uniform"),
            **DRAWN,
        ),
        "curve-holes": Entry(
            **SMALL, task="inpaint", degrade="thick", presets=(*POINTS, *(f"pixelwise:{n}" for n in (2, 8))), plotted=True
        ),
        "curve-pixels": Entry(**SMALL, task="inpaint", degrade="pixels:0.7", presets=POINTS, plotted=True),
        "curve-large": Entry(
            **FOUR, task="upscale", degrade="area:2", presets=("auto", "smooth", "texture", "paper"), plotted=True
        ),
        "samplers-noise": Entry(
            **FOUR,
            task="denoise",
            degrade="noise:25",
            steps=(1, 2, 4, 13),  # 13 of the released 64 lie after the time at which this noise is entered
            methods=("irflow-prior",),
            samplers=("euler", "restora-denoise"),
            sigma=25,
        ),
        "samplers-holes": Entry(**SMALL, task="inpaint", degrade="thick", presets=EQUAL),
        "samplers-pixels": Entry(**SMALL, task="inpaint", degrade="pixels:0.7", presets=EQUAL),
        "samplers-noisy": Entry(**SMALL, task="inpaint", degrade="noise:15+pixels:0.7", presets=EQUAL, sigma=15),
    },
}
