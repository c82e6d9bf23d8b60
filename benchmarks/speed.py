"""Speed and memory, as ratios measured side by side in one run; `irflow bench --speed` has the figures themselves.

    python benchmarks/speed.py [--threads 2] [--data FOLDER] [--rain-layers FOLDER] [--store]

Takes about ten minutes. Memory is read from /proc, so on Linux only. --data: the photographs for the training loop, otherwise
drawn ones; --rain-layers: its rain, otherwise drawn. --store keeps the table in benchmarks/results/speed-MACHINE.md and writes
it to the pages, where they have `<!-- speed MACHINE -->`, as the last step of `python benchmarks/suite.py readme SETS`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import markers
import numpy as np
import torch
from engine_speed import engine_rows, start_rows
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from irflow_cli.bench.speed import folder_facts, measured_command, timed, whole_command
from irflow_cli.engines.backends.openvino import AGAIN
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.engines.tiling import TILES, spans
from irflow_cli.nets import SIZES, build
from irflow_cli.runtime.device import choose_training_precision, has_bf16, precision_name, processor
from irflow_cli.runtime.heap import keep_freed
from irflow_cli.training.dataset import Corpus, load_corpus
from irflow_cli.training.loop import Run, forward_of
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.sampling import Sampler, draw_batch, load_layers

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "results.md"
ENGINES_PAGE = ROOT / "docs" / "engines.md"
STORE = ROOT / "benchmarks" / "results"

# How the rows begin that stand on the page of the engines, too.
OF_ENGINES = ("| 20", "|--", "| one call of `", "| `restore` of a JPEG", "| start: ")
SMALL = 128  # pixels of the side of a picture whose restoring takes little but the start
OWN = 0.05  # MP of a picture whose restoring takes little but what the engine itself takes


def median_seconds(work, repeats: int = 5) -> float:
    """Return the median time of `work()` after one call to warm up."""
    return float(np.median(timed(work, repeats)))


@torch.inference_mode()
def network(tile: int) -> dict[str, float]:
    """Return s/MP and GFLOP/s of the default network, and GFLOP/s of a 64 -> 64 convolution, on pictures of a tile."""
    net = build(SIZES["base"]).eval()
    picture = torch.rand(1, 3, tile, tile).contiguous(memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as flops:
        net(picture, torch.zeros(1))
    convolution = torch.nn.Conv2d(64, 64, 3, padding=1)
    convolution = convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    features = torch.rand(1, 64, tile, tile).contiguous(memory_format=torch.channels_last)
    seconds = median_seconds(lambda: net(picture, torch.zeros(1)))
    plain = median_seconds(lambda: convolution(features))
    return {
        "s/MP": seconds / (tile**2 / 1e6),
        "GFLOP/s": flops.get_total_flops() / 1e9 / seconds,
        "convolution GFLOP/s": 2 * 9 * 64 * 64 * tile**2 / 1e9 / plain,
    }


def waves(height: int, width: int, length: float = 97) -> Image.Image:
    """Return a picture of waves, 2 pi `length` pixels long."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / length
    picture = np.stack([np.sin(rows), np.sin(columns), np.sin(rows + columns)], -1) * 90 + 128
    return Image.fromarray(picture.astype(np.uint8))


def jpeg(megapixels: float, folder: Path) -> tuple[float, float]:
    """Return (seconds after torch's start-up, peak MiB above the bare interpreter with torch) of `irflow restore`, one step."""
    height, width = sides_of(megapixels)
    source = folder / f"{megapixels:g}.jpg"
    waves(height, width).save(source, quality=92)
    return whole_command(RestoreSettings("derain", steps=1), source, folder / f"{megapixels:g}-out.jpg")


def sides_of(megapixels: float) -> tuple[int, int]:
    """Return height and width of a picture of 3 : 4."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    return height, round(height * 4 / 3)


def repeated(runs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Return the median time and the highest peak of some runs: how the heap falls to pieces differs from run to run."""
    seconds, peaks = zip(*runs, strict=True)
    return float(np.median(seconds)), max(peaks)


def network_alone(restorer: Restorer, megapixels: float) -> float:
    """Return the seconds the network itself needs for the tiles of a picture, nothing else."""
    align = restorer.net.contract.multiple
    height, width = sides_of(megapixels)
    sizes = [
        (bottom - top, right - left)
        for top, bottom in spans(height, TILES["cpu"], 32, align)
        for left, right in spans(width, TILES["cpu"], 32, align)
    ]
    with torch.inference_mode():
        times = {}
        for size in set(sizes):
            part = torch.rand(1, 3, *size).contiguous(memory_format=torch.channels_last)
            for _ in range(AGAIN):  # OpenVINO makes a program of its own for what comes again
                restorer.engine(part, torch.zeros(1))
            times[size] = median_seconds(lambda part=part: restorer.engine(part, torch.zeros(1)), 2)
    return sum(times[size] for size in sizes)


def large_pictures(sizes: tuple[float, float], folder: Path) -> Iterator[str]:
    """Yield the rows of the whole command on a picture of each size, by the engine that is the fastest here."""
    small, large = sizes
    restorer = Restorer(RestoreSettings("derain", device="cpu"))
    where = f"by {restorer.engine.name} {restorer.engine.precision}"
    _, own = jpeg(OWN, folder)
    before = network_alone(restorer, small)
    seconds, peak = repeated(jpeg(small, folder) for _ in range(2))
    alone = (before + network_alone(restorer, small)) / 2  # for a machine may get slower or faster meanwhile
    share = f"{seconds / alone:.2f} of the network's {alone:.1f} s"
    yield f"| `restore` of a JPEG of {small:g} MP, one step, {where} | {seconds:.1f} s, {share} |"
    yield f"| its memory above torch's | {peak:.0f} MiB, {peak - own:.0f} above the {own:.0f} of a picture of {OWN:g} MP |"
    took, larger = jpeg(large, folder)
    more = f"{larger:.0f} MiB, {larger - own:.0f} above the same, {larger / peak:.2f} of that at {small:g} MP"
    yield f"| its memory at {large:g} MP | {more}; {took:.1f} s |"


def holes(folder: Path) -> tuple[float, float, float]:
    """Return (seconds, peak MiB as above) of `irflow inpaint` for a scratch of 12 x 600 pixels in a 12 MP PNG, and the seconds
    for a hole of a fifth of the same picture."""
    height, width = 3000, 4000
    photo = folder / "photo.png"
    waves(height, width).save(photo, compress_level=1)
    mask = np.zeros((height, width), np.uint8)
    cv2.line(mask, (1500, 1200), (1500 + 424, 1200 + 424), 255, 12)
    Image.fromarray(mask).save(folder / "scratch.png")
    fifth = np.zeros_like(mask)
    fifth[800:2200, 1000:2714] = 255
    Image.fromarray(fifth).save(folder / "fifth.png")

    def command(name: str) -> list[str]:
        return ["inpaint", str(photo), "--mask", str(folder / f"{name}.png"), "-o", str(folder / f"{name}-out.png"), "-q"]

    measured_command([*command("scratch"), "--overwrite"])  # a network's first use on a machine times all engines
    scratch, wide = (measured_command([*command(name), "--overwrite"]) for name in ("scratch", "fifth"))
    return *scratch, wide[0]


def drawn(folder: Path, count: int = 16) -> Path:
    """Draw pictures of waves, 480 x 320 pixels, into a folder and return it."""
    folder.mkdir()
    for number in range(count):
        waves(320, 480, 7 + number).save(folder / f"{number}.png")
    return folder


def training(data: Path, rain_layers: Path | None, repeats: int = 12) -> Iterator[str]:
    """Yield the rows of the training loop: pictures per second with loading, degrading and the optimiser, for each precision,
    and the median share of the bare loop's, all measured in turn."""
    device = torch.device("cpu")
    request = TrainRequest(data, Path("unused"), "derain", minutes=1, rain_layers=rain_layers)
    corpus, *_ = load_corpus(data, request.crop, device)
    steps: dict[str, Callable[[], object]] = {}
    for precision in ("fp32", "auto"):
        steps[precision] = whole_step(replace(request, precision=precision), corpus)
    steps["bare"] = bare_step(request, corpus)
    times = {name: [] for name in steps}
    for _ in range(1 + repeats):
        for name, step in steps.items():
            times[name] += timed(step, 1)
    medians = {name: float(np.median(seconds[1:])) for name, seconds in times.items()}
    share = float(np.median(np.divide(times["bare"], times["auto"])[1:]))
    auto = precision_name(choose_training_precision("auto", device))
    slow, fast = (request.batch / medians[name] for name in ("fp32", "auto"))
    yield f"| training in fp32, all included | {slow:.1f} pictures/s |"
    yield (
        f"| training as `auto` does here, in {auto} | {fast:.1f} pictures/s, {fast / slow:.2f} times those of fp32; "
        f"{share:.2f} of the bare forward and backward pass |"
    )


def whole_step(request: TrainRequest, corpus: Corpus) -> Callable[[], object]:
    """Return what takes the next step of a run."""
    device = torch.device("cpu")
    run = Run(request, device)
    sampler = Sampler(request, corpus, load_layers(request, device), run.group)
    forward = forward_of(request, run.net, device)
    return lambda: run.learn(request, forward, sampler.batches(run.iteration), 1.0)


def bare_step(request: TrainRequest, corpus: Corpus) -> Callable[[], object]:
    """Return what passes one fixed batch forward and backward through the network of a run, in the precision of `auto`."""
    device = torch.device("cpu")
    net, layers = build(SIZES["base"]), load_layers(request, device)
    forward = forward_of(request, net, device)
    degraded, clean, start = draw_batch(request, corpus, layers, torch.Generator().manual_seed(0))
    clean = clean.contiguous(memory_format=torch.channels_last)
    return lambda: forward(degraded, start, degraded).sub(clean).square().mean().backward()


def table(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the table as they are measured."""
    threads = f"{options.threads} threads of {processor()}"
    yield f"| {date.today().isoformat()}, torch {torch.__version__}, {threads} | |"
    yield "|---|---|"
    for tile in (256, TILES["cpu"]):
        speed = network(tile)
        share = speed["GFLOP/s"] / speed["convolution GFLOP/s"]
        yield (
            f"| one call of the larger network, {tile} x {tile} | {speed['s/MP']:.2f} s/MP, {speed['GFLOP/s']:.0f} GFLOP/s, "
            f"{share:.2f} of the {speed['convolution GFLOP/s']:.0f} of a 64 to 64 convolution |"
        )
    yield from engine_rows()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from large_pictures(options.sizes, folder)
        seconds, peak, fifth = holes(folder)
        yield f"| `inpaint` of a scratch of 12 x 600 pixels in 12 MP | {seconds:.1f} s; {peak:.0f} MiB |"
        yield f"| `inpaint` of a hole of a fifth of 12 MP | {fifth:.1f} s |"
    restorer = Restorer(RestoreSettings("derain", steps=1, device="cpu"))
    for fact in folder_facts(restorer, options.folder, 387, repeats=3):
        yield f"| {fact.name} | {fact.median:.2f} {fact.unit} |"
    started = median_seconds(
        lambda: subprocess.run([sys.executable, "-m", "irflow_cli", "--help"], capture_output=True, check=True)
    )
    yield f"| `irflow --help` | {started:.2f} s |"
    with tempfile.TemporaryDirectory() as name:
        small = Path(name, f"{SMALL} x {SMALL}.png")
        waves(SMALL, SMALL).save(small)
        yield from start_rows(small)
        yield from training(options.data or drawn(Path(name, "photos")), options.rain_layers)


def machine() -> str:
    """Return the name that this machine's table has: its processor's, in small letters and hyphens; of two of one name the
    lesser one says what it lacks."""
    name = processor() if has_bf16() else f"{processor()} without bfloat16"
    return re.sub(r"(\(\w*\)|[^a-z0-9])+", "-", name.lower()).strip("-")


def put(page: Path, lines: list[str], name: str) -> None:
    """Write lines between the markers that a page has for the machine of that name."""
    text = page.read_text(encoding="utf-8")
    if name not in markers.tables(text, "speed"):
        print(f"{page.name} has no place for this machine: `<!-- speed {name} -->`, then `<!-- /speed -->`", file=sys.stderr)
    page.write_text(markers.filled(text, "speed", lambda other: "\n".join(lines) if other == name else None), encoding="utf-8")


def kept() -> dict[str, str]:
    """Return the tables that are stored, by machine."""
    return {path.stem.removeprefix("speed-"): path.read_text().strip() for path in STORE.glob("speed-*.md")}


def on_page() -> dict[str, str]:
    """Return the tables of docs/results.md, by machine."""
    return markers.tables(PAGE.read_text(encoding="utf-8"), "speed")


def main() -> None:
    """Measure and print, and store where that is asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rain-layers", type=Path)
    parser.add_argument("--sizes", type=lambda text: tuple(map(float, text.split(","))), default=(12.0, 48.0))
    parser.add_argument("--folder", type=int, default=200, help="pictures in the folder of small ones")
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed()  # as the command does, with which the network alone is compared
    lines = []
    for line in table(options):
        print(line, flush=True)
        lines.append(line)
    if options.store:
        name = machine()
        (STORE / f"speed-{name}.md").write_text("\n".join(lines) + "\n")
        put(PAGE, lines, name)
        put(ENGINES_PAGE, [line for line in lines if line.startswith(OF_ENGINES)], name)


if __name__ == "__main__":
    main()
