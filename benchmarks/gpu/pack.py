"""Pack what training needs on a bare machine: photographs, rain layers, and wheels of what is not installed there.

    python benchmarks/gpu/pack.py PHOTOS RAIN_LAYERS [-o runs/pack] [--most-mb N] [--wheel platformdirs ...]

PHOTOS is searched with its folders, and files are taken as they are. Where they are more than --most-mb, the largest are stored
again as WebP, a step of quality lower each time, until they fit. Unless it is given, they may be what the checkout, the layers
and the wheels leave of what travels to such a machine, 64 MiB. Then, on the machine:

    python benchmarks/gpu/train.py runs/pack --out OUT --minutes 9
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from irflow_cli.images.find import find_pictures
from irflow_cli.training.dataset import load_rain_layers

QUALITIES = (95, 90, 85, 80, 70)
ROOT = Path(__file__).resolve().parents[2]
TRAVELS, SPARE = 64 * 2**20, 2**20  # bytes that go along in all, and what stays free of them


def pack(photos: Path, layers: Path, out: Path, most: int | None, wheels: list[str]) -> None:
    """Write the folder `out`: photos/, layers/ and wheels/. Raises NothingToDo without photographs, and without rain layers."""
    load_rain_layers(layers)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(layers, out / "layers")
    (out / "wheels").mkdir()
    if wheels:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(out / "wheels")]
        subprocess.run([*command, *wheels], check=True)
    files = {path.relative_to(photos): path.read_bytes() for path in find_pictures(photos)}
    for name, data in fitted(files, TRAVELS - SPARE - checkout() - size_of(out) if most is None else most).items():
        target = out / "photos" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    total = size_of(out)
    print(f"{out}: {len(files)} photographs, {total / 2**20:.1f} MiB in all")


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def checkout() -> int:
    """Return the bytes of the checkout's files that git does not ignore; of a copy without git, of all but hidden ones."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    except (OSError, subprocess.CalledProcessError):
        return sum(size_of(path) if path.is_dir() else path.stat().st_size for path in ROOT.glob("[!.]*"))
    paths = (ROOT / os.fsdecode(name) for name in set(names) if name)
    return sum(path.stat().st_size for path in paths if path.is_file())


def fitted(files: dict[Path, bytes], most: int) -> dict[Path, bytes]:
    """Return the files, the largest stored again as WebP where all together are more than `most` bytes."""
    for quality in QUALITIES:
        total = sum(map(len, files.values()))
        for name in sorted(files, key=lambda name: -len(files[name])):
            if total <= most:
                return files
            data = io.BytesIO()
            Image.open(io.BytesIO(files[name])).convert("RGB").save(data, "WEBP", quality=quality, method=6)
            new = name.with_suffix(".webp")
            if len(data.getvalue()) < len(files[name]) and (new == name or new not in files):
                total += len(data.getvalue()) - len(files[name])
                files[new] = data.getvalue()
                if name.suffix != ".webp":
                    del files[name]
    return files


def main() -> None:
    """Read the command line and pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("layers", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/pack"))
    parser.add_argument("--most-mb", type=float, help="of photographs; what else travels leaves the rest unless given")
    parser.add_argument("--wheel", nargs="*", default=["platformdirs"])
    given = parser.parse_args()
    pack(given.photos, given.layers, given.out, None if given.most_mb is None else int(given.most_mb * 2**20), given.wheel)


if __name__ == "__main__":
    main()
