"""Whether a change of the code changes results: digests of what a table of commands and calls from Python puts out.

    python benchmarks/same_outputs.py --store before.json       # on the commit before
    python benchmarks/same_outputs.py --against before.json     # on the commit after; exits 1 when anything differs

Every task, sampler, grid, preset, kind of degradation, format and depth, and several tile sizes are on it, on small pictures
that are drawn here. Digests hold on one machine with one version of torch: run both on the same. By torch in float32, unless
IRFLOW_ENGINE and IRFLOW_PRECISION say otherwise. `--only TEXT` runs the
entries whose names hold a text, for a quick look while something is moved. For a commit that has no such script, run this one
there: `cd` into a worktree of it, set PYTHONPATH to that folder, and call the script by its path.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

import irflow_cli
from irflow_cli.cli.app import run
from irflow_cli.degradations import DEGRADATIONS
from irflow_cli.flow.guided import GUIDED
from irflow_cli.flow.observations import OPERATORS
from irflow_cli.flow.samplers import SAMPLERS
from irflow_cli.flow.times import GRIDS

TASKS = ("derain", "denoise", "deraindrop")
FILLING, ENLARGING = ("fast", "auto", "smooth", "varied", "texture", "paper"), ("auto", "smooth", "texture")  # presets
FORMATS = ("png", "jpg", "webp", "tiff", "bmp", "avif")
STEPS = {"pixelwise": "1", "flow-priors": "2", "d-flow": "2"}  # of guided samplers; the others are asked for 3
VOLATILE = ("results.jsonl", "state.safetensors", "log.jsonl", ".irflow.jsonl", "report.html", "table.md")  # tell times


def draw(folder: Path) -> None:
    """Draw the pictures, masks and folders that the table works on."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:88, :104].astype(np.float32)
    waves = np.stack([np.sin(rows / 7), np.cos(columns / 9), np.sin((rows + columns) / 11)], axis=2) / 3 + 0.5
    noisy = np.clip(waves + rng.normal(0, 0.08, waves.shape), 0, 1).astype(np.float32)
    eight, deep = (noisy * 255).round().astype(np.uint8), (noisy * 65535).round().astype(np.uint16)
    alpha = (columns * 2).astype(np.uint8)
    (folder / "many").mkdir()
    (folder / "clean").mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(np.roll(eight, 9 * ord(name), 0)).save(folder / "many" / f"{name}.png")
        Image.fromarray(np.roll((waves.clip(0, 1) * 255).astype(np.uint8), 9 * ord(name), 1)).save(
            folder / "clean" / f"{name}.png"
        )
    Image.fromarray(eight).save(folder / "rgb.png", icc_profile=None, dpi=(300, 300))
    Image.fromarray(eight[..., 0]).save(folder / "grey.png")
    Image.fromarray(np.dstack([eight, alpha])).save(folder / "alpha.png")
    Image.fromarray(eight).save(folder / "photo.jpg", quality=88, subsampling="4:2:0")
    Image.fromarray(eight).save(folder / "photo.webp", lossless=True)
    cv2.imwrite(str(folder / "deep.png"), deep)
    cv2.imwrite(str(folder / "deep.tiff"), deep)
    cv2.imwrite(str(folder / "float.tiff"), noisy * 1.1)
    cv2.imwrite(str(folder / "deepgrey.png"), deep[..., 0])
    mask = np.zeros((88, 104), np.uint8)
    mask[20:44, 30:70], mask[60:64, 5:100] = 255, 255
    Image.fromarray(mask).save(folder / "mask.png")
    marked = eight.copy()
    marked[30:40, 30:60] = (255, 0, 255)
    Image.fromarray(marked).save(folder / "marked.png")
    hollow = np.dstack([eight, np.where(mask > 0, 0, 255).astype(np.uint8)])
    Image.fromarray(hollow).save(folder / "hollow.png")


def commands() -> Iterator[tuple[str, str]]:
    """Yield (name, command line), where `out/` is the folder of results."""
    for task in TASKS:
        for source in ("rgb.png", "grey.png", "alpha.png", "deep.png", "deepgrey.png", "deep.tiff", "float.tiff", "photo.jpg"):
            yield f"restore {task} {source}", f"restore {source} --task {task} -o out"
    more = {f"sampler {name}": f"--sampler {name} --steps 3" for name in SAMPLERS}
    more |= {f"grid {name}": f"--grid {name} --steps 3" for name in GRIDS}
    more |= {f"tile {tile}": f"--tile {tile} --overlap 16" for tile in (0, 64, 72, 96)}
    more |= {f"format {kind}": f"--format {kind}" for kind in FORMATS}
    more |= {"ensemble": "--ensemble", "strength": "--strength 0.5"}
    more |= {"bf16": "--precision bf16", "quality": "--format jpg --quality 70", "lossless": "--format webp --lossless"}
    yield from ((f"restore {name}", f"restore rgb.png --task derain -o out {options}") for name, options in more.items())
    yield "restore sigma", "restore rgb.png --task denoise --sigma 20 -o out"
    for source in ("rgb.png", "grey.png"):
        yield f"restore prior {source}", f"restore {source} --task denoise --method prior --steps 2 -o out"
    yield "restore many", "restore many --task derain --batch 2 --resume -o out"
    for preset in FILLING:
        yield f"inpaint preset {preset}", f"inpaint rgb.png --mask mask.png --preset {preset} -o out"
    for name in GUIDED:
        options = f"--sampler {name} --steps {STEPS.get(name, '3')} --seed 5"
        yield f"inpaint sampler {name}", f"inpaint rgb.png --mask mask.png {options} -o out"
    for source in ("grey.png", "alpha.png", "deep.png", "float.tiff", "photo.jpg", "photo.webp"):
        yield f"inpaint {source}", f"inpaint {source} --mask mask.png -o out"
    yield "inpaint box", "inpaint rgb.png --mask-box 10,12,30,20 --mask-dilate 3 --mask-feather 4 -o out"
    yield "inpaint color", "inpaint marked.png --mask-color #ff00ff --mask-tolerance 20 -o out"
    yield "inpaint alpha", "inpaint hollow.png --mask-from-alpha -o out"
    yield "inpaint samples", "inpaint rgb.png --mask-box 10,12,30,20 --samples 2 -o out"
    for operator in OPERATORS:
        for scale in (2, 3, 4):
            yield f"upscale {operator} {scale}", f"upscale many/a.png --operator {operator} --scale {scale} -o out"
    for preset in ENLARGING:
        yield f"upscale preset {preset}", f"upscale many/a.png --preset {preset} -o out"
    for source in ("grey.png", "alpha.png", "deep.png", "float.tiff"):
        yield f"upscale {source}", f"upscale {source} -o out"
    for kind in DEGRADATIONS:
        yield f"degrade {kind}", f"degrade rgb.png --kind {kind} --seed 4 -o out"
    for task in (*TASKS, "prior", "all-in-one"):
        yield f"train {task}", f"train clean -o out --task {task} --iterations 2 --batch 2 --crop 32 --size small -q"
    yield (
        "bench",
        "bench clean --task denoise --degrade noise:25,camera:20 --steps 1,2 --methods irflow,opencv-nlm --report out",
    )
    yield (
        "bench inpaint",
        "bench clean --task inpaint --degrade thin,pixels:0.8 --presets fast --methods irflow,telea --report out",
    )
    yield "bench upscale", "bench clean --task upscale --degrade area:2 --methods irflow,bicubic --report out"


def calls() -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Yield (name, call from Python)."""
    eight = np.asarray(Image.open("rgb.png"))
    mask = np.asarray(Image.open("mask.png")) > 0
    kinds = {
        "uint8": eight,
        "uint16": eight.astype(np.uint16) * 257,
        "float32": eight.astype(np.float32) / 255,
        "float64": eight / 255.0,
        "grey": eight[..., 0],
        "alpha": np.dstack([eight, eight[..., 0]]),
    }
    for name, picture in kinds.items():
        yield f"call restore {name}", lambda picture=picture: irflow_cli.restore(picture, "derain", steps=1)
        yield f"call inpaint {name}", lambda picture=picture: irflow_cli.inpaint(picture, mask, steps=1)
        yield f"call upscale {name}", lambda picture=picture: irflow_cli.upscale(picture[:40, :48], 2)
    for mode in ("L", "LA", "RGB", "RGBA", "P", "CMYK"):
        picture = Image.open("rgb.png").convert(mode)
        yield f"call restore {mode}", lambda picture=picture: np.asarray(irflow_cli.restore(picture, "denoise", sigma=15))


def digest_of_command(line: str) -> str:
    """Return the digest of a command's exit code and of all files it writes; of checkpoints the tensors, of measurements the
    scores."""
    whole = hashlib.sha256()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            code = run(line.split())
        except SystemExit as end:
            code = end.code
        except Exception as error:  # a fault is an output like any other
            code = repr(error)
    whole.update(f"{code} {said.getvalue() if code else ''}".encode())
    for path in sorted(Path("out").rglob("*")) if Path("out").exists() else ():
        if path.is_dir():
            continue
        whole.update(path.relative_to("out").as_posix().encode())
        if path.name == "results.jsonl":
            rows = [json.loads(text) for text in path.read_text().splitlines()]
            scores = [[row["picture"], row["method"], row["psnr"], row["ssim"]] for row in rows if "psnr" in row]
            whole.update(json.dumps(sorted(scores)).encode())
        elif path.suffix == ".safetensors" and path.name not in VOLATILE:
            from safetensors.torch import load_file

            for name, tensor in sorted(load_file(path).items()):
                whole.update(name.encode() + tensor.contiguous().view(torch.uint8).numpy().tobytes())
        elif path.name not in VOLATILE:
            whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def digests(only: str) -> dict[str, str]:
    """Return the digest of every entry of the table whose name holds `only`."""
    found: dict[str, str] = {}
    here = Path.cwd()
    for name, line in commands():
        if only in name:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    os.chdir(folder)
                    draw(Path())
                    found[name] = digest_of_command(line)
                finally:
                    os.chdir(here)
            print(found[name], name, file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.chdir(folder)
            draw(Path())
            for name, call in calls():
                if only in name:
                    done = call()
                    found[name] = hashlib.sha256(f"{done.dtype} {done.shape}".encode() + done.tobytes()).hexdigest()[:16]
                    print(found[name], name, file=sys.stderr)
        finally:
            os.chdir(here)
    return found


def main() -> int:
    """Store digests, or compare them with stored ones; return 1 when any differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="write the digests to this file")
    parser.add_argument("--against", type=Path, help="compare with the digests in this file")
    parser.add_argument("--only", default="", help="entries whose names hold this text")
    given = parser.parse_args()
    os.environ["IRFLOW_CACHE_DIR"] = tempfile.mkdtemp()
    for name, usual in (("IRFLOW_ENGINE", "torch"), ("IRFLOW_PRECISION", "fp32")):  # else what is fastest here decides
        os.environ.setdefault(name, usual)
    torch.set_num_threads(1)
    found = digests(given.only)
    if given.store:
        given.store.write_text(json.dumps(found, indent=1) + "\n")
    if not given.against:
        return 0
    before = json.loads(given.against.read_text())
    for name in [name for name in found if name not in before]:
        print(f"new: {name}")
    for name in [name for name in before if name not in found and given.only in name]:
        print(f"gone: {name}")
    differ = [name for name in found if name in before and before[name] != found[name]]
    for name in differ:
        print(f"differs: {name}")
    print(f"{len(found) - len(differ)} of {len(found)} are the same or new")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
