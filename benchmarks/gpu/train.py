"""Train on a machine that is lent for minutes: one call, no thought, and no surprise that ends it.

    python benchmarks/gpu/train.py runs/pack --out OUT --minutes 9 [--first] [--only denoise,derain]

Each network of PLAN gets its share of the minutes, its decay inside, in a process of its own: what breaks one does not take
the time of the others. Where a process fails, the next rung of LADDER goes on with the time that is left of its share: without
torch.compile, with half the batch, in float32. OUT gets, every few seconds: NAME.safetensors (the best weights, float16) and
train.log (what ran, pictures a second, held-out PSNR).

--first is the first call on a new machine: 3 minutes in all, self-check and speeds of every network (facts.json), then a short
training of the first. The commands work on a CPU, too: that is how they are rehearsed (`--device cpu --tiny`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Network:
    """A network to train: its task, its share of the time, the side of its crops, and further options of `irflow train`."""

    task: str
    share: float
    crop: int
    options: tuple[str, ...] = ()


COMMON = ("--distance", "log-mse", "--consistency", "0", "--warmup", "100", "--decay", "0.5", "--rate", "2e-3")
PLAN = (
    Network("denoise", 0.35, 128),
    Network("derain", 0.3, 128, ("--self-conditioned", "--condition")),
    Network("deraindrop", 0.2, 176, ("--self-conditioned", "--condition")),
    Network("prior", 0.15, 144),
)
LADDER = (  # what is tried, one after another: options, and the part of the batch
    (("--precision", "bf16", "--compile"), 1.0),
    (("--precision", "bf16"), 1.0),
    (("--precision", "bf16"), 0.5),
    (("--precision", "fp32"), 0.25),
)
OUT_OF_MEMORY = 5  # exit code of `irflow`


class Day:
    """The clock and the log of a call. Nothing is waited for beyond its end."""

    def __init__(self, out: Path, minutes: float) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.began, self.end = out, time.monotonic(), time.monotonic() + 60 * minutes

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()

    def say(self, text: str) -> None:
        """Print a line and append it to the log."""
        line = f"{time.monotonic() - self.began:6.0f} s  {text}"
        print(line, flush=True)
        with (self.out / "train.log").open("a") as file:
            file.write(line + "\n")


def train(day: Day, pack: Path, network: Network, seconds: float, given: argparse.Namespace) -> None:
    """Train a network for some seconds, down the ladder where a rung breaks."""
    end = time.monotonic() + min(seconds, day.left)
    batch, first = given.batch, 0
    for rung, (options, part) in enumerate(LADDER):
        left = end - time.monotonic()
        if rung < first or left < 20:
            continue
        if "--compile" in options and left < given.compile_seconds:
            continue
        run = given.work / f"{network.task}-{rung}"
        shutil.rmtree(run, ignore_errors=True)
        size = max(2, int(batch * part))
        code = watch(day, network, command_of(pack, network, run, left, size, options, given), run, end)
        if code == 0:
            return
        day.say(
            f"{network.task}: {' '.join(options)}, batch {size} ended with code {code}; {end - time.monotonic():.0f} s left"
        )
        if code == OUT_OF_MEMORY:
            batch //= 2
            first = rung  # the next rung, smaller at any rate
    day.say(f"{network.task}: no more to try")


def command_of(
    pack: Path, network: Network, run: Path, seconds: float, batch: int, options: tuple[str, ...], given: argparse.Namespace
) -> list[str]:
    """Return the `irflow train` of a rung, which ends by its own clock a little before the time is over."""
    command = [sys.executable, "-m", "irflow_cli", "train", str(pack / "photos"), "-o", str(run), "--task", network.task]
    command += ["--minutes", f"{max(5.0, seconds - given.start_seconds) / 60:.3f}", "--batch", str(batch)]
    command += [
        "--crop",
        str(given.crop or network.crop),
        "--validate-every",
        str(given.validate_every),
        "--device",
        given.device,
    ]
    command += [*COMMON, *network.options, *options]
    if network.task == "derain":
        command += ["--rain-layers", str(pack / "layers")]
    start = ROOT / "weights" / f"{network.task}.safetensors"
    if given.size:
        command += ["--size", given.size]
    if not given.fresh and start.exists():
        command += ["--init", str(start)]
    return command


def watch(day: Day, network: Network, command: list[str], run: Path, end: float) -> int:
    """Run a command until its end or the time's, bring what it saves to the output, and return its exit code (0 if stopped)."""
    day.say(f"{network.task}: {' '.join(command[3:])}")
    with (day.out / f"{network.task}.err").open("w") as errors:
        process = subprocess.Popen(command, stdout=errors, stderr=errors, cwd=ROOT, env=environment())
        told = 0.0
        while process.poll() is None:
            time.sleep(0.5)
            bring(day, network, run)
            if time.monotonic() - told > 20:
                told = time.monotonic()
                day.say(f"{network.task}: {standing(run)}")
            if time.monotonic() > end and process.poll() is None:
                process.terminate()  # it saves and ends
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                bring(day, network, run)
                return 0
    bring(day, network, run)
    day.say(f"{network.task}: {standing(run)}")
    return process.returncode


def bring(day: Day, network: Network, run: Path) -> None:
    """Copy the best weights so far to the output when they are newer than what is there."""
    best, there = run / "best.safetensors", day.out / f"{network.task}.safetensors"
    if best.exists() and (not there.exists() or best.stat().st_mtime_ns > there.stat().st_mtime_ns):
        part = there.with_suffix(".part")
        shutil.copy2(best, part)
        part.replace(there)


def standing(run: Path) -> str:
    """Return where a run stands, in a line."""
    try:
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    except (OSError, ValueError):
        return "starting"
    scores = [line["psnr"] for line in lines if line["psnr"] is not None]
    last = lines[-1]
    score = f", held out {scores[-1]:.2f} dB" if scores else ""
    return f"iteration {last['iteration']}, {last['rate']:.0f} pictures/s, loss {last['loss']:.3f}{score}"


def environment() -> dict[str, str]:
    """Return the environment of a run: this checkout first, whatever is installed."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("IRFLOW_SITE", ""), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTORCH_ALLOC_CONF": "expandable_segments:True"}


def install(day: Day, pack: Path, site: Path) -> None:
    """Put the wheels of the pack that are missing here where runs find them."""
    wheels = sorted((pack / "wheels").glob("*.whl"))
    if wheels:
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(site)]
        done = subprocess.run([*command, *map(str, wheels)], capture_output=True, text=True)
        day.say(f"wheels: {'in place' if done.returncode == 0 else done.stderr.strip().splitlines()[-1]}")
        os.environ["IRFLOW_SITE"] = str(site)


def check(day: Day, pack: Path, given: argparse.Namespace) -> None:
    """Run the self-check in a process of its own and keep what it finds; a failure is told and no more. It gets most
    of the time, and what it has found when that is over stays."""
    command = [sys.executable, str(HERE / "check.py"), str(pack), "--device", given.device, "--batch", str(given.batch)]
    command += [
        "--out",
        str(day.out / "facts.json"),
        "--seconds",
        str(given.probe_seconds),
        *(["--tiny"] if given.tiny else []),
    ]
    log = day.out / "check.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT, env=environment())
        try:
            process.wait(0.7 * day.left)
        except subprocess.TimeoutExpired:
            process.kill()
    for line in log.read_text().strip().splitlines()[-20:]:
        day.say(f"check: {line}")


def shares(day: Day, plan: list[Network]) -> Iterator[tuple[Network, float]]:
    """Yield each network with its seconds: its share of what is left when its turn comes."""
    for index, network in enumerate(plan):
        yield network, (day.left - 10) * network.share / sum(other.share for other in plan[index:])


def main() -> None:
    """Read the command line, check, and train one network after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--first", action="store_true", help="3 minutes: self-check, speeds, a short training")
    parser.add_argument("--only", default="", help="tasks, separated by commas")
    parser.add_argument("--size", default="", help="small, base or large; that of the weights unless given")
    parser.add_argument("--fresh", action="store_true", help="from nothing, not from the weights that ship")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--crop", type=int, default=0)
    parser.add_argument("--validate-every", type=int, default=400)
    parser.add_argument("--compile-seconds", type=float, default=100, help="less time than this, and nothing is compiled")
    parser.add_argument("--start-seconds", type=float, default=20, help="what loading takes of a run's share")
    parser.add_argument("--probe-seconds", type=float, default=8)
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--tiny", action="store_true", help="a rehearsal: tiny crops and batches")
    given = parser.parse_args()
    if given.tiny:
        given.batch, given.crop, given.validate_every, given.probe_seconds, given.start_seconds = 2, 32, 4, 0.5, 6
    day = Day(given.out, 3.0 if given.first else given.minutes)
    pack = given.pack.resolve()
    given.work = given.work.resolve()
    install(day, pack, given.work / "site")
    plan = [network for network in PLAN if not given.only or network.task in given.only.split(",")]
    if given.first:
        check(day, pack, given)
        plan = plan[:1]
    for network, seconds in shares(day, plan):
        try:
            train(day, pack, network, seconds, given)
        except Exception as error:  # one network's surprise does not take the others' time
            day.say(f"{network.task}: {type(error).__name__}: {error}")
    day.say("done")


if __name__ == "__main__":
    main()
