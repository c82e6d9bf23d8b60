"""The tables of README.md and docs/: which runs they are, and how they get there from stored results.

    python benchmarks/suite.py readme sets/

measures the sets below sets/ and fills README.md, at the root of irflow's source tree; `curves` fills docs/perception.md.
A table stands between `<!-- bench NAME -->` and `<!-- /bench -->`. Its records are stored, picture by picture, below
benchmarks/results/, so that anyone can check the table against them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from irflow_cli.bench.plots import plots_of
from irflow_cli.bench.records import Record, columns_of, gains, markdown, read_records, table
from irflow_cli.bench.request import BenchRequest, Sweep
from irflow_cli.bench.run import bench, irflow_methods, prepare
from irflow_cli.bench.sets import find_samples, parse_degrade
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import DeviceError, IrflowError, UsageError
from irflow_cli.runtime.files import write_atomically

STORE = Path("benchmarks", "results")  # below the root of the source tree
PLOTS = Path("docs", "pictures")
SCRIPTS = {"readme": Path("benchmarks", "speed.py")}  # what fills the rest of a suite's page: speed and memory
COMPUTED = {"engine": "torch", "precision": "fp32"}  # so that the metrics are those of every machine
PAGES = {"readme": Path("README.md"), "curves": Path("docs", "perception.md")}  # where the tables of each suite stand
COLUMNS = [
    "psnr",
    "ssim",
    "psnr_y",
    "ssim_y",
    "ms_ssim",
    "vif",
    "ssimulacra2",
    "flip",
    "st_lpips",
    "nfe",
    "seconds_per_mp",
    "peak_mib",
]


@dataclass(frozen=True)
class Entry:
    """A table of a suite. data: the name of its folder below the given one, and how many pictures it has. methods: "irflow"
    and baselines. plotted: with the curve of distortion and perception."""

    data: str
    pictures: int
    title: str
    task: str
    degrade: str | None = None
    steps: tuple[int, ...] = (1, 2, 4)
    methods: tuple[str, ...] = ("irflow",)
    crop: int | None = None
    presets: tuple[str, ...] = ()
    grids: tuple[str | None, ...] = (None,)
    source_noises: tuple[float, ...] = (0.0,)
    strengths: tuple[float, ...] = (1.0,)
    plotted: bool = False

    @property
    def command(self) -> str:
        """The command that measures the same."""
        options = [f"--degrade {self.degrade}"] if self.degrade else []
        options += [f"--methods {','.join(self.methods)}"] if self.methods != ("irflow",) else []
        options += [f"--crop {self.crop}"] if self.crop else []
        options += [f"--grid {','.join(map(str, self.grids))}"] if self.grids != (None,) else []
        options += (
            [f"--source-noise {','.join(f'{noise:g}' for noise in self.source_noises)}"] if any(self.source_noises) else []
        )
        options += (
            [f"--strength {','.join(f'{strength:g}' for strength in self.strengths)}"] if self.strengths != (1.0,) else []
        )
        sweep = f"--presets {','.join(self.presets)}" if self.presets else f"--steps {','.join(map(str, self.steps))}"
        return " ".join([f"irflow bench {self.data}/ --task {self.task}", *options, sweep])

    def request(self, data: Path, settings: RestoreSettings) -> BenchRequest:
        """Return what is to be measured on the set below `data`."""
        return BenchRequest(
            data / self.data,
            replace(settings, task=self.task, steps=None),
            Sweep() if self.presets else Sweep(self.steps, self.grids, self.strengths, self.source_noises),
            self.degrade,
            self.methods,
            crop=self.crop,
            presets=self.presets or ("auto",),
        )


CLASSICAL = ("irflow", "opencv-nlm", "nlm", "wavelet")
FILLING = ("irflow", "telea", "navier-stokes", "biharmonic")
SUITES: dict[str, dict[str, Entry]] = {
    "readme": {
        "cbsd68": Entry("cbsd68", 68, "CBSD68", "denoise", "noise:25", methods=CLASSICAL),
        "rain100h": Entry("rain100h", 100, "Rain100H", "derain"),
        "rain100l": Entry("rain100l", 100, "Rain100L", "derain"),
        "raindrop": Entry("raindrop", 2, "RainDrop", "deraindrop"),
        "cbsd68-levels": Entry("cbsd68", 68, "CBSD68", "denoise", "noise:15,noise:50", (1,)),
        "mcmaster": Entry("mcmaster", 18, "McMaster", "denoise", "noise:25", (1,)),
        "unseen-noise": Entry("mcmaster", 18, "McMaster", "denoise", "unseen", (1,)),
        "unseen-rain": Entry("mcmaster", 18, "McMaster", "derain", "unseen", (2,)),
        "unseen-drops": Entry("mcmaster", 18, "McMaster", "deraindrop", "unseen", (1,)),
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
            "Kodak24",
            "inpaint",
            "thin,thick,pixels:0.8",
            methods=FILLING,
            crop=256,
            presets=("fast", "smooth"),
        ),
        "inpaint-paper": Entry(
            "kodak24",
            24,
            "Kodak24, the middle 128 x 128",
            "inpaint",
            "thin,thick,pixels:0.8",
            crop=128,
            presets=("paper", "smooth", "fast"),
        ),
        "upscale": Entry(
            "kodak24",
            24,
            "Kodak24",
            "upscale",
            "area:2",
            methods=("irflow", "bicubic", "lanczos"),
            crop=256,
            presets=("auto",),
        ),
        "prior": Entry("cbsd68", 68, "CBSD68", "denoise", "noise:25", (1,), ("irflow-prior",)),
    },
    "curves": {
        "curve-rain": Entry(
            "rain100h", 100, "Rain100H", "derain", steps=(1, 2, 3, 4), grids=("released", "uniform"), plotted=True
        ),
        "curve-noise": Entry(
            "kodak24",
            24,
            "Kodak24, the middle 256 x 256",
            "denoise",
            "noise:25",
            (1, 2, 3, 4),
            crop=256,
            grids=("released", "uniform"),
            source_noises=(0, 10),
            plotted=True,
        ),
        "curve-drops": Entry(
            "raindrop",
            2,
            "RainDrop",
            "deraindrop",
            steps=(1, 2, 3, 4),
            grids=("released", "uniform"),
            strengths=(0.7, 1.0),
            plotted=True,
        ),
        "curve-holes": Entry(
            "kodak24",
            24,
            "Kodak24, the middle 128 x 128",
            "inpaint",
            "thick",
            crop=128,
            presets=("smooth", "pixelwise:1", "pixelwise:2", "pixelwise:4", "restora:4:1", "restora:8:1", "restora:16:1"),
            plotted=True,
        ),
    },
}


def run_suite(name: str, data: Path, root: Path, settings: RestoreSettings, tell: Callable[[str], None]) -> Iterator[Record]:
    """Yield the records of a suite's tables whose sets lie below `data`; store them, and write its page below `root`.

    Records that were stored for the same inputs and the same weights are kept. A set that is not there is passed over, and
    its table left as it is. Last comes the script that measures speed and memory for the same page, always anew. Raises
    UsageError for an unknown suite and where its page is not, DeviceError when the script fails.
    """
    if name not in SUITES:
        raise UsageError(f"no suite is called {name!r}; there is {', '.join(SUITES)}")
    if not (root / PAGES[name]).is_file():
        raise UsageError(f"{root} has no {PAGES[name]}; run this at the root of irflow's source tree")
    for key, entry in SUITES[name].items():
        if not (data / entry.data).is_dir():
            tell(f"{key}: there is no {data / entry.data}; its table is left as it is")
            continue
        tell(f"{key}: {entry.command}")
        there = len(find_samples(data / entry.data, paired=not entry.degrade))
        if there != entry.pictures:
            tell(f"{key}: {data / entry.data} has {there} pictures, the set {entry.pictures}; its table is left as it is")
            continue
        yield from bench(prepare(replace(entry.request(data, settings), store=root / STORE / f"{key}.jsonl")))
        fill_page(name, root)
    if name in SCRIPTS:
        options = ["--store", "--threads", str(torch.get_num_threads())]
        tell(f"speed: {' '.join(['python', SCRIPTS[name].as_posix(), *options])}; about eight minutes")
        command = [sys.executable, str(SCRIPTS[name]), *options]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as script:
            for line in script.stdout or ():
                tell(line.rstrip())
        if script.returncode:
            raise DeviceError(f"{SCRIPTS[name]} failed ({script.returncode}); what it said stands above")


def _outdated(entry: Entry, records: list[Record], checkpoint: str | None) -> str | None:
    """Return a method of irflow's whose stored records are not what the weights and today's code would be stored as."""
    request = entry.request(Path(), RestoreSettings(entry.task, checkpoint=checkpoint, device="cpu", **COMPUTED))
    for method in irflow_methods(request, parse_degrade(entry.degrade, entry.task)):
        key = method.name, method.steps, method.variant
        names = {record.identity for record in records if record.key[1:] == key}
        if names != {method.identity}:
            return ", ".join(part for part in (method.name, f"{method.steps} steps", method.variant) if part)
    return None


def stored(root: Path, key: str) -> list[Record]:
    """Return the stored records of a table, none where there is no file."""
    path = root / STORE / f"{key}.jsonl"
    return read_records(path) if path.is_file() else []


def rendered(entry: Entry, records: list[Record]) -> str:
    """Return what stands on a page for a table: its command and the means."""
    columns = [name for name in COLUMNS if name in columns_of(records)]
    lines = [f"`{entry.command}`", "", *markdown(table(records, entry.title, columns))]
    if entry.degrade == "unseen":
        won = ", ".join(f"{key[0]} {scores.psnr:+.2f} dB" for key, scores in gains(records).items())
        lines += ["", f"Gain over the input in PSNR: {won}."]
    return "\n".join(lines)


def parts_of(page: str) -> dict[str, str]:
    """Return the text between the markers of a page, by name."""
    return {match[1]: match[2].strip() for match in _marked(page)}


def _marked(page: str) -> list[re.Match[str]]:
    return list(re.finditer(r"<!-- bench ([a-z0-9-]+) -->\n(.*?)<!-- /bench -->", page, re.DOTALL))


def fill_page(name: str, root: Path) -> None:
    """Write the tables that have stored records between the markers of a suite's page, and the plots; the others stay."""
    page = (root / PAGES[name]).read_text(encoding="utf-8")
    for match in reversed(_marked(page)):
        records = stored(root, match[1])
        if not records or match[1] not in SUITES[name]:
            continue
        entry = SUITES[name][match[1]]
        page = page[: match.start(2)] + rendered(entry, records) + "\n" + page[match.end(2) :]
        if entry.plotted and (plots := plots_of(records)):
            write_atomically(root / PLOTS / f"{match[1]}.svg", plots[0][1].encode(), overwrite=True)
    write_atomically(root / PAGES[name], page.encode(), overwrite=True)


def page_problems(root: Path, name: str, checkpoint: str | None = None) -> list[str]:
    """Return where a suite's page is not what the stored results say, a line each.

    A table without stored records is not a problem as long as nothing at all is stored. checkpoint: instead of those that ship.
    """
    parts, page = parts_of((root / PAGES[name]).read_text(encoding="utf-8")), PAGES[name].name
    found = [f"{page} has a table {key} that no suite has" for key in parts if key not in SUITES[name]]
    for key, entry in SUITES[name].items():
        records = stored(root, key)
        if records and key not in parts:
            found.append(f"{page} lacks the table {key}; put <!-- bench {key} --> and <!-- /bench --> where it belongs")
        elif records and (old := _outdated(entry, records, checkpoint)):
            found.append(f"{STORE / key}.jsonl: {old} was measured with other weights or code; run the suite again")
        elif records and parts[key] != rendered(entry, records):
            found.append(
                f"{page}'s table {key} is not what {STORE / key}.jsonl holds; run `python benchmarks/suite.py {name} SETS`"
            )
        elif key in parts and not records and (root / STORE).is_dir():
            found.append(f"{page}'s table {key} has no results in {STORE / key}.jsonl")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure a suite and return the exit code: 1 when a method failed on a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("data", type=Path, help="folder of the sets, such as cbsd68/ and rain100h/")
    parser.add_argument("--checkpoint", help="instead of those that ship")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engine", default=COMPUTED["engine"])
    parser.add_argument("--precision", default=COMPUTED["precision"])
    given = parser.parse_args(arguments)
    settings = RestoreSettings(
        "derain", checkpoint=given.checkpoint, device=given.device, engine=given.engine, precision=given.precision
    )
    failed = 0
    try:
        for record in run_suite(given.suite, given.data, Path.cwd(), settings, lambda line: print(line, file=sys.stderr)):
            failed += record.error is not None
            if record.error:
                print(f"{record.method} on {record.picture}: {record.error}", file=sys.stderr)
    except IrflowError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
