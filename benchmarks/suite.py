"""The tables of README.md and docs/: which runs they are, and how they get there from stored results.

    python benchmarks/suite.py readme sets/

measures the sets below sets/ and fills README.md and docs/results.md, at the root of irflow's source tree; `curves` fills
docs/perception.md. `--jobs 2` measures two tables at a time, each with half of the processor's cores. What was measured before
with the same weights is kept; remove benchmarks/results/*.jsonl to measure all of it again.
A table stands between `<!-- bench NAME -->` and `<!-- /bench -->`. Its records are stored, picture by picture, below
benchmarks/results/, so that anyone can check the table against them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import choices
import markers
import torch
from tables import SUITES, Entry

from irflow_cli.bench.plots import plots_of
from irflow_cli.bench.records import Record, columns_of, failures, gains, markdown, read_environment, read_records, table
from irflow_cli.bench.run import bench, irflow_methods
from irflow_cli.bench.sets import find_samples, parse_degrade
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import DeviceError, IrflowError, UsageError
from irflow_cli.runtime.device import available_cores
from irflow_cli.runtime.files import write_atomically

OWN = Path(__file__)
STORE = Path("benchmarks", "results")  # below the root of the source tree
PLOTS = Path("docs", "pictures")
SCRIPTS = {"readme": Path("benchmarks", "speed.py")}  # what fills the rest of a suite's page: speed and memory
ENGINE, PRECISION = "torch", "fp32"  # so that the metrics are those of every machine
PAGES = {  # where the tables of each suite stand, on one of the pages or on several
    "readme": (Path("README.md"), Path("docs", "results.md")),
    "curves": (Path("docs", "perception.md"),),
}
EARLIER = "The figures of irflow here are those of earlier weights or code; the command measures it as it is now."
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
]  # none that hangs on how busy the machine is: speed and memory are measured by themselves, by SCRIPTS

NARROW = {"README.md": ["psnr", "ssim", "ssimulacra2", "st_lpips"]}  # of pages that are read in a window of 80 columns
BRIEF = ["psnr", "ssim", "vif", "ssimulacra2", "flip", "st_lpips", "nfe"]  # of curves


def run_suite(
    name: str, data: Path, root: Path, settings: RestoreSettings, tell: Callable[[str], None], only: str | None = None
) -> Iterator[Record]:
    """Yield the records of a suite's tables whose sets lie below `data`, and store them below `root`.

    Records that were stored for the same inputs and the same weights are kept. A set that is not there is passed over, and
    its table left as it is. only: the one table that is measured. Raises UsageError for an unknown suite or table and where
    its page is not.
    """
    if name not in SUITES:
        raise UsageError(f"no suite is called {name!r}; there is {', '.join(SUITES)}")
    for page in PAGES[name]:
        if not (root / page).is_file():
            raise UsageError(f"{root} has no {page}; run this at the root of irflow's source tree")
    if only is not None and only not in SUITES[name]:
        raise UsageError(f"{name} has no table {only!r}; there are {', '.join(SUITES[name])}")
    for key, entry in SUITES[name].items():
        if only not in (None, key):
            continue
        if lacking := next((name for name in (entry.data, entry.networks) if name and not (data / name).is_dir()), None):
            tell(f"{key}: there is no {data / lacking}; its table is left as it is")
            continue
        tell(f"{key}: {entry.command}")
        there = len(find_samples(data / entry.data, paired=not entry.degrade))
        if there != entry.pictures:
            tell(f"{key}: {data / entry.data} has {there} pictures, the set {entry.pictures}; its table is left as it is")
            continue
        yield from bench(entry.prepared(data, settings, root / STORE / f"{key}.jsonl"))


def run_tables(name: str, options: list[str], jobs: int, tell: Callable[[str], None]) -> int:
    """Measure the tables of a suite, `jobs` at a time, each in a process of its own by this script with the given `options`;
    return the highest of their exit codes. Results are those of one process; the processor's cores are shared out."""
    threads = str(max(1, available_cores() // jobs))

    def measure(key: str) -> int:
        command = [sys.executable, str(OWN), *options, "--only", key, "--keep-pages"]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": threads}, stderr=subprocess.PIPE, text=True)
        for line in done.stderr.splitlines():
            tell(line)
        return done.returncode

    with ThreadPoolExecutor(jobs) as pool:
        return max(pool.map(measure, SUITES[name]))


def run_script(name: str, root: Path, tell: Callable[[str], None]) -> None:
    """Measure speed and memory for the pages of a suite, where it has a script for it. Raises DeviceError if that fails."""
    if name not in SCRIPTS:
        return
    options = ["--store", "--threads", str(torch.get_num_threads())]
    tell(f"speed: {' '.join(['python', SCRIPTS[name].as_posix(), *options])}; about ten minutes")
    command = [sys.executable, str(SCRIPTS[name]), *options]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as script:
        for line in script.stdout or ():
            tell(line.rstrip())
    if script.returncode:
        raise DeviceError(f"{SCRIPTS[name]} failed ({script.returncode}); what it said stands above")


def computed(task: str, checkpoint: str | None) -> RestoreSettings:
    """Return settings that give every machine the same metrics."""
    return RestoreSettings(task, checkpoint=checkpoint, device="cpu", engine=ENGINE, precision=PRECISION)


def outdated(entry: Entry, records: list[Record], checkpoint: str | None) -> str | None:
    """Return a method of irflow's whose stored records are not what the weights and today's code would be stored as."""
    request = entry.request(Path(), computed(entry.task, checkpoint))
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


def made_with(root: Path, key: str) -> dict[str, str]:
    """Return what a table's stored records say that they were made with."""
    return read_environment(root / STORE / f"{key}.jsonl")


def rendered(entry: Entry, records: list[Record], made_with: dict[str, str], old: str | None = None, page: str = "") -> str:
    """Return what stands on a page for a table: its command, the means, and when and on what it was measured.

    old: what was measured with earlier weights or code, which is said. page: the name of its file.
    """
    wanted = NARROW.get(page, BRIEF if entry.brief else COLUMNS)
    columns = [name for name in wanted if name in columns_of(records)]
    lines = [f"`{entry.command}`", "", *markdown(table(records, entry.title, columns))]
    told = [made_with.get(name, "unknown") for name in ("date", "processor", "threads", "torch, Python")]
    kept = f"; what has not changed, {made_with['kept']}" if "kept" in made_with else ""
    lines += ["", "Measured {}, {}, threads: {}, torch and Python {}{}.".format(*told, kept)]
    if entry.degrade == "unseen":
        won = ", ".join(f"{key[0]} {scores.psnr:+.2f} dB" for key, scores in gains(records).items())
        lines += ["", f"Gain over the input in PSNR: {won}."]
    if old:
        lines += ["", EARLIER]
    return "\n".join(lines)


def parts_of(page: str) -> dict[str, str]:
    """Return the text between the markers of a page, by name."""
    return markers.tables(page, "bench")


def fill_pages(name: str, root: Path, checkpoint: str | None = None) -> None:
    """Write the tables that have stored records between the markers of a suite's pages, and the plots; the others stay.

    A table that was measured with other weights than those that ship, or `checkpoint`, says so.
    """

    def text_of(page: str, key: str) -> str | None:
        records = stored(root, key)
        if not records or key not in SUITES[name]:
            return None
        entry = SUITES[name][key]
        if entry.plotted and (plots := plots_of(records)):
            write_atomically(root / PLOTS / f"{key}.svg", plots[0][1].encode(), overwrite=True)
        return rendered(entry, records, made_with(root, key), outdated(entry, records, checkpoint), page)

    for path in PAGES[name]:
        page = markers.filled((root / path).read_text(encoding="utf-8"), "bench", partial(text_of, path.name))
        page = choices.filled(page, partial(stored, root))
        write_atomically(root / path, page.encode(), overwrite=True)


def _difference(page: str, name: str, key: str, unsaid: str | None) -> str:
    """Return the line for a table that is not what its records say; unsaid: what is outdated in it without its saying so."""
    if unsaid:
        said = f"{STORE / key}.jsonl: {unsaid} was measured with other weights or code"
        return f"{said}; run the suite again, or with --fill, so that {page} says so"
    return f"{page}'s table {key} is not what {STORE / key}.jsonl holds; run `python benchmarks/suite.py {name} SETS`"


def page_problems(root: Path, name: str, checkpoint: str | None = None) -> list[str]:
    """Return where a suite's pages are not what the stored results say, a line each.

    A table without stored records is not a problem as long as nothing at all is stored. checkpoint: instead of those that ship.
    """
    tables = [(path, key, text) for path in PAGES[name] for key, text in parts_of((root / path).read_text("utf-8")).items()]
    found = [f"{path.name} has a table {key} that no suite has" for path, key, _ in tables if key not in SUITES[name]]
    for key, entry in SUITES[name].items():
        records = stored(root, key)
        copies = [(path.name, text) for path, other, text in tables if other == key]
        if records and not copies:
            page = PAGES[name][-1].name
            found.append(f"{page} lacks the table {key}; put <!-- bench {key} --> and <!-- /bench --> where it belongs")
        elif not records and (root / STORE).is_dir():
            found += [f"{page}'s table {key} has no results in {STORE / key}.jsonl" for page, _ in copies]
        elif records:
            old = outdated(entry, records, checkpoint)
            made = made_with(root, key)
            found += [
                _difference(page, name, key, old if EARLIER not in text else None)
                for page, text in copies
                if text != rendered(entry, records, made, old, page)
            ]
    for path in PAGES[name]:
        page = (root / path).read_text(encoding="utf-8")
        if page != choices.filled(page, partial(stored, root)):
            found.append(f"{path.name}'s table of what to choose is of other results; run the suite with --fill")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure a suite and return the exit code: 1 when a method failed on a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("data", type=Path, help="folder of the sets, such as cbsd68/ and rain100h/")
    parser.add_argument("--fill", action="store_true", help="measure nothing; write the stored tables into the pages")
    parser.add_argument("--only", help="the one table to measure")
    parser.add_argument("--keep-pages", action="store_true", help="store the results; leave the pages as they are")
    parser.add_argument("--jobs", type=int, default=1, help="tables that are measured at a time; last comes the speed, alone")
    parser.add_argument("--checkpoint", help="instead of those that ship")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engine", default=ENGINE)
    parser.add_argument("--precision", default=PRECISION)
    given = parser.parse_args(arguments)
    settings = RestoreSettings(
        "derain", checkpoint=given.checkpoint, device=given.device, engine=given.engine, precision=given.precision
    )
    if given.fill:
        fill_pages(given.suite, Path.cwd(), given.checkpoint)
        return 0
    tell = partial(print, file=sys.stderr, flush=True)
    try:
        if given.jobs > 1 and not given.only:
            code = run_tables(given.suite, sys.argv[1:] if arguments is None else arguments, given.jobs, tell)
        else:
            failed = failures(run_suite(given.suite, given.data, Path.cwd(), settings, tell, given.only))
            for line in failed:
                tell(line)
            code = 1 if failed else 0
        if not given.keep_pages:
            fill_pages(given.suite, Path.cwd(), given.checkpoint)
        if not given.only:
            run_script(given.suite, Path.cwd(), tell)
    except IrflowError as error:
        tell(error)
        return error.exit_code
    return code


if __name__ == "__main__":
    sys.exit(main())
