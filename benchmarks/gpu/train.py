"""Train on a machine that is lent for minutes: one call, no thought, and no surprise that ends it.

    python benchmarks/gpu/train.py runs/pack --out OUT [--first] [--minutes 9] [--only denoise,derain]

All networks of PLAN train side by side, each in a process of its own, for all of the minutes: while one compiles, draws or
launches, the others have the GPU, and what breaks one does not take the time of the others. Where a process fails, the next
rung of LADDER goes on with the time that is left: without torch.compile, with half the batch, in float32. OUT gets, every few
seconds: NAME.safetensors (the weights so far, float16), runs.jsonl (the logs of all runs) and train.log (what ran, pictures a
second, held-out PSNR, memory); few files, for such a machine gives few back.

--first is the first call on a new machine: a self-check and speeds of every network (facts.json) while the networks are
compiled, and training for the rest of its time; the compiler's cache is then full. A later call goes on with the weights of
the one before. The commands work on a CPU, too: that is how to try them (`--device cpu --tiny`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Network:
    """A network to train: its task, its size, crops a batch and their side, and further options of `irflow train`, by the names
    they have in a request."""

    task: str
    size: str
    batch: int
    crop: int
    options: Mapping[str, object] = field(default_factory=dict)


COMMON = {"distance": "log-mse", "consistency": 0.0, "warmup": 100, "decay": 0.6, "rate": 1.5e-3, "prefetch": 4}
SEEN = {"self_conditioned": True, "condition": True}  # levels on the network's own way, and a look at the picture as it came
PLAN = (  # what needs it most comes first; all weights together stay under 26 MiB
    Network("prior", "large", 80, 192),
    Network("deraindrop", "base", 96, 176, {**SEEN, "distance": "charbonnier"}),
    Network("denoise", "large", 64, 192),
    Network("derain", "large", 128, 128, SEEN),
)
LADDER = (  # what is tried, one after another: options, and the part of the batch
    (("--precision", "bf16", "--compile"), 1.0),
    (("--precision", "bf16"), 1.0),
    (("--precision", "bf16"), 0.5),
    (("--precision", "fp32"), 0.25),
)
OUT_OF_MEMORY = 5  # exit code of `irflow`
OFTEN = 20.0  # seconds between two lines of a network


class Day:
    """The clock and the log of a call. Nothing is waited for beyond its end."""

    def __init__(self, out: Path, minutes: float) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.began, self.end = out, time.monotonic(), time.monotonic() + 60 * minutes
        self.lock = threading.Lock()
        self.logs: dict[str, list[dict[str, object]]] = {}  # of the runs, by task

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()

    def say(self, text: str) -> None:
        """Print a line and append it to the log."""
        line = f"{time.monotonic() - self.began:6.0f} s  {text}"
        with self.lock:
            print(line, flush=True)
            with (self.out / "train.log").open("a") as file:
                file.write(line + "\n")

    def log(self, task: str, run: Path) -> None:
        """Put a run's log in the place of its task's, and all of them in one file."""
        lines = read_log(run)
        with self.lock:
            if lines and lines != self.logs.get(task):
                self.logs[task] = lines
                part = self.out / "runs.part"
                every = [{"task": task, **line} for task, lines in self.logs.items() for line in lines]
                part.write_text("".join(f"{json.dumps(line)}\n" for line in every))
                part.replace(self.out / "runs.jsonl")


def read_log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log, those that are whole."""
    try:
        text = (run / "log.jsonl").read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    except (OSError, ValueError):
        return []


def train(day: Day, pack: Path, network: Network, given: argparse.Namespace) -> None:
    """Train a network until the end of the day, down the ladder where a rung breaks: the next goes on with what it had."""
    end = day.end - given.stop_seconds
    part, start = 1.0, start_of(network, given)
    for rung, (options, share) in enumerate(LADDER):
        left = end - time.monotonic()
        if left < 20 or ("--compile" in options and left < given.compile_seconds):
            continue
        run = given.work / f"{network.task}-{rung}"
        size = max(2, int((given.batch or network.batch) * part * share))
        options += ("--batch", str(size), *(("--init", str(start)) if start else ()))
        code = watch(day, network, command_of(pack, network, run, left, options, given), run, end)
        if code == 0:
            return
        day.say(f"{network.task}: {' '.join(options)} ended with code {code}; {end - time.monotonic():.0f} s left")
        start = weights_of(run) or start
        if code == OUT_OF_MEMORY:
            part /= 2
    day.say(f"{network.task}: no more to try")


def start_of(network: Network, given: argparse.Namespace) -> Path | None:
    """Return the weights to begin with: those of the call before, else those that ship; earlier runs are put away."""
    before = given.work / "before" / f"{network.task}.safetensors"
    runs = sorted(given.work.glob(f"{network.task}-*"))
    found = [weights for run in runs if (weights := weights_of(run))]
    if found:
        before.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(max(found, key=lambda path: path.stat().st_mtime_ns), before)
    for run in runs:
        shutil.rmtree(run, ignore_errors=True)
    if given.fresh:
        return None
    return next((path for path in (before, ROOT / "weights" / f"{network.task}.safetensors") if path.exists()), None)


def command_of(
    pack: Path, network: Network, run: Path, seconds: float, options: tuple[str, ...], given: argparse.Namespace
) -> list[str]:
    """Return the `irflow train` of a rung, which ends by its own clock a little before the time is over."""
    command = [sys.executable, "-m", "irflow_cli", "train", str(pack / "photos"), "-o", str(run), "--task", network.task]
    command += ["--minutes", f"{max(5.0, seconds - given.start_seconds) / 60:.3f}"]
    command += ["--crop", str(given.crop or network.crop), "--validate-every", str(given.validate_every)]
    command += ["--device", given.device, "--size", given.size or network.size, "--save-minutes", "1"]
    command += [*flags({**COMMON, **network.options}), *options]
    if network.task == "derain":
        command += ["--rain-layers", str(pack / "layers")]
    return command


def flags(options: Mapping[str, object]) -> list[str]:
    """Return options as they are typed."""
    words = [(f"--{name.replace('_', '-')}", value) for name, value in options.items()]
    return [word for flag, value in words if value is not False for word in ((flag,) if value is True else (flag, str(value)))]


def watch(day: Day, network: Network, command: list[str], run: Path, end: float) -> int:
    """Run a command until its end or the time's, bring what it saves to the output, and return its exit code (0 if stopped)."""
    day.say(f"{network.task}: {' '.join(command[3:])}")
    errors_of_run = run.parent / f"{run.name}.err"
    with errors_of_run.open("w") as errors:
        process = subprocess.Popen(command, stdout=errors, stderr=errors, cwd=ROOT, env=environment(run.parent))
        told = time.monotonic()
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            bring(day, network, run)
            if time.monotonic() - told > OFTEN:
                told = time.monotonic()
                day.say(f"{network.task}: {standing(run)}{memory()}")
        stopped = process.poll() is None
        if stopped:
            process.terminate()  # it saves and ends
            try:
                process.wait(max(1.0, day.left - 2))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    bring(day, network, run)
    day.say(f"{network.task}: {standing(run)}")
    if process.returncode and not stopped:
        for line in errors_of_run.read_text(errors="replace").strip().splitlines()[-12:]:
            day.say(f"{network.task} | {line[:300]}")
    return 0 if stopped else process.returncode


def bring(day: Day, network: Network, run: Path) -> None:
    """Copy the weights, and the log, to the output when they are newer than what is there."""
    source, there = weights_of(run), day.out / f"{network.task}.safetensors"
    if source and (not there.exists() or source.stat().st_mtime_ns > there.stat().st_mtime_ns):
        part = there.with_suffix(".part")
        shutil.copy2(source, part)
        part.replace(there)
    day.log(network.task, run)


def weights_of(run: Path) -> Path | None:
    """Return the weights of a run: the last, for a run that ends by a decay ends at its best; the best before there are any."""
    return next((run / name for name in ("last.safetensors", "best.safetensors") if (run / name).exists()), None)


def standing(run: Path) -> str:
    """Return where a run stands, in a line."""
    lines = read_log(run)
    if not lines:
        return "starting"
    last = lines[-1]
    scores = [line["psnr"] for line in lines if line["psnr"] is not None]
    score = f", held out {scores[-1]:.2f} dB" if scores else ""
    return f"iteration {last['iteration']}, {last['rate']:.0f} pictures/s, loss {last['loss']:.3f}{score}"


def memory() -> str:
    """Return what the GPU holds and how busy it is, as far as its driver tells."""
    query = ["nvidia-smi", "--query-gpu=memory.used,utilization.gpu", "--format=csv,noheader"]
    try:
        return "; GPU " + subprocess.run(query, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def environment(work: Path) -> dict[str, str]:
    """Return the environment of a run: this checkout first, whatever is installed, and caches that a later call finds."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("IRFLOW_SITE", ""), os.environ.get("PYTHONPATH", "")]))
    caches = {"TORCHINDUCTOR_CACHE_DIR": str(work / "inductor"), "TRITON_CACHE_DIR": str(work / "triton")}
    settings = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    threads = max(1, (os.cpu_count() or 1) // len(PLAN))
    return {**os.environ, **caches, **settings, "OMP_NUM_THREADS": str(threads)}


def install(day: Day, pack: Path, site: Path) -> None:
    """Put the wheels of the pack that are missing here where runs find them."""
    wheels = sorted((pack / "wheels").glob("*.whl"))
    if wheels:
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--upgrade", "--target", str(site)]
        done = subprocess.run([*command, *map(str, wheels)], capture_output=True, text=True)
        day.say(f"wheels: {'in place' if done.returncode == 0 else done.stderr.strip().splitlines()[-1]}")
        os.environ["IRFLOW_SITE"] = str(site)


def check(day: Day, pack: Path, plan: list[Network], given: argparse.Namespace) -> None:
    """Run the self-check in a process of its own and keep what it finds; a failure is told and no more. It gets
    `check_seconds`, and what it has found when they are over stays."""
    command = [sys.executable, str(HERE / "check.py"), str(pack), "--device", given.device]
    command += ["--out", str(day.out / "facts.json"), "--seconds", str(given.probe_seconds)]
    command += ["--networks", *(f"{network.task}:{given.size or network.size}" for network in plan)]
    command += ["--batch", str(given.batch), "--crop", str(given.crop), *(["--compile"] if given.compiled else [])]
    log = given.work / "check.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT, env=environment(given.work))
        try:
            process.wait(min(given.check_seconds, day.left))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for line in log.read_text(errors="replace").strip().splitlines()[-30:]:
        day.say(f"check: {line[:300]}")


def main() -> None:
    """Read the command line, check, and train all networks side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, help="9, or 2.5 with --first")
    parser.add_argument("--first", action="store_true", help="self-check and speeds before the training")
    parser.add_argument("--compiled", action="store_true", help="the self-check times compiled networks, too")
    parser.add_argument("--no-train", action="store_true", help="the self-check alone")
    parser.add_argument("--only", default="", help="tasks, separated by commas")
    parser.add_argument("--size", default="", help="small, base or large; that of the plan unless given")
    parser.add_argument("--fresh", action="store_true", help="from nothing, not from the weights that ship")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=0, help="that of the plan unless given")
    parser.add_argument("--crop", type=int, default=0)
    parser.add_argument("--validate-every", type=int, default=250)
    parser.add_argument("--compile-seconds", type=float, default=60, help="less time than this, and nothing is compiled")
    parser.add_argument("--start-seconds", type=float, default=15, help="what loading takes of a run's time")
    parser.add_argument("--stop-seconds", type=float, default=8, help="what saving takes at the end")
    parser.add_argument("--check-seconds", type=float, default=45, help="what the self-check may take")
    parser.add_argument("--probe-seconds", type=float, default=1.5)
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--tiny", action="store_true", help="a rehearsal: tiny crops and batches")
    given = parser.parse_args()
    if given.tiny:
        given.batch, given.crop, given.validate_every, given.probe_seconds, given.start_seconds = 2, 32, 4, 0.5, 6
    day = Day(given.out, given.minutes or (2.5 if given.first else 9.0))
    pack = given.pack.resolve()
    given.work = given.work.resolve()
    given.work.mkdir(parents=True, exist_ok=True)
    install(day, pack, given.work / "site")
    plan = [network for network in PLAN if not given.only or network.task in given.only.split(",")]
    threads = [] if given.no_train else [threading.Thread(target=train, args=(day, pack, network, given)) for network in plan]
    if given.first or given.no_train:  # while the networks are compiled, which leaves the GPU idle
        threads.append(threading.Thread(target=check, args=(day, pack, plan, given)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    day.say("done")


if __name__ == "__main__":
    main()
