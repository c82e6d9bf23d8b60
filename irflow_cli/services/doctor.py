"""What this machine has: versions, devices, memory, folders, a timed tile, and what is missing for what."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

import irflow_cli
from irflow_cli import extras
from irflow_cli.engines.backends.choice import Trial, tried_before, wanted
from irflow_cli.engines.backends.store import engines_folder
from irflow_cli.engines.backends.table import BACKENDS
from irflow_cli.engines.restorer import Restorer
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.engines.tiling import auto_tile
from irflow_cli.errors import CheckpointError, IrflowError
from irflow_cli.regular import is_there
from irflow_cli.runtime.checkpoints import known_checkpoints, read_card
from irflow_cli.runtime.config import ConfigFile, config_files
from irflow_cli.runtime.device import choose_device, choose_precision, memory_of, precision_name
from irflow_cli.runtime.files import takes_files
from irflow_cli.runtime.places import cache_folder

LEAST = 2**-4  # GiB that a cache needs: a network and its graphs
EXTRAS = {  # of pyproject.toml: what each is for, and the modules that it brings
    "serve": ("`irflow serve`, the page in the browser", ("starlette", "uvicorn", "websockets")),
    "formats": ("HEIC files and TIFFs of rare layouts", ("pillow_heif", "tifffile", "imagecodecs")),
    "openvino": ("a faster network on a CPU", ("openvino", "onnx")),
    "onnx": ("the network in ONNX Runtime, and `irflow models export`", ("onnxruntime", "onnx")),
    "int8": ("networks in int8, with `openvino`", ("nncf",)),
    "metrics": ("VIF, LPIPS, SSIMULACRA 2 and more in `irflow bench`", ("torchmetrics", "ssimulacra2", "flip_evaluator")),
    "bench": ("reports, plots and classical methods in `irflow bench`", ("jinja2", "matplotlib", "skimage", "pywt")),
    "baselines": ("third-party networks in `irflow bench`", ("spandrel",)),
    "tensorboard": ("curves of training", ("tensorboard",)),
    "remote": ("s3:// and gs:// folders", ("fsspec", "s3fs", "gcsfs")),
    "ray": ("the runner `ray`", ("ray", "pyarrow", "pandas")),
}


@dataclass(frozen=True)
class Finding:
    """One line of the report. ok: False where something does not work."""

    topic: str
    text: str
    ok: bool = True


def examine(*, timed: bool = True) -> list[Finding]:
    """Return what there is to say about this machine; `timed` runs a tile through the network."""
    device = RestoreSettings("derain").device
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    found = [
        Finding("irflow", f"{irflow_cli.__version__}, {system}"),
        Finding("libraries", ", ".join(f"{name} {_version(name)}" for name in ("torch", "numpy", "pillow", "safetensors"))),
        Finding("opencv", _opencv()),
        Finding("processor", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads in use"),
    ]
    found += [
        _device(device),
        _memory(),
        *map(_space, (cache_folder(), engines_folder())),
        *(_config(file) for file in config_files()),
    ]
    found += [_checkpoint(path) for path in known_checkpoints()]
    found += [_extra(name) for name in EXTRAS]
    return [*found, _timed_tile(device), *_engines()] if timed else found


def _extra(name: str) -> Finding:
    purpose, modules = EXTRAS[name]
    missing = ", ".join(module for module in modules if importlib.util.find_spec(module) is None)
    return Finding("extra", f"{name}: " + (f"{purpose}; without {missing}; {extras.hint(name)}" if missing else "there"))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "?"


def _opencv() -> str:
    import cv2

    return f"OpenCV {cv2.__version__}"


def _device(name: str) -> Finding:
    try:
        return _device_in_use(name)
    except IrflowError as error:
        return Finding("device", str(error), False)


def _device_in_use(name: str) -> Finding:
    device = choose_device(name)
    names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    computed = "" if device.type == "cpu" else f" in {precision_name(choose_precision('auto', device))}"
    return Finding("device", f"{device}{computed}, tiles of {auto_tile(device)}; CUDA: {names or 'none'}")


def _memory() -> Finding:
    known = memory_of(torch.device("cpu"))
    if known is None:
        return Finding("memory", "not known on this system")
    free, total = (size / 2**30 for size in known)
    return Finding("memory", f"{free:.1f} of {total:.1f} GiB free", free > 1)


def _space(folder: Path) -> Finding:
    there = next(parent for parent in (folder, *folder.absolute().parents) if is_there(parent))
    free, writable = shutil.disk_usage(there).free / 2**30, takes_files(folder)
    wrong = ", takes no files" if not writable else ", too little for what is kept there" if free < LEAST else ""
    return Finding("cache", f"{folder}, {free:.1f} GiB free{wrong}", not wrong)


def _config(file: ConfigFile) -> Finding:
    return Finding("config", f"{file.path}: {file.unread or ('there' if file.there else 'none')}")


def _checkpoint(path: Path) -> Finding:
    try:
        return Finding("checkpoint", f"{path.stem}: {read_card(path).task}, {path.stat().st_size / 2**20:.1f} MiB")
    except CheckpointError as error:
        return Finding("checkpoint", str(error), False)


def _timed_tile(device: str) -> Finding:
    try:
        return _time_of_a_tile(device)
    except IrflowError as error:
        return Finding("speed", str(error), False)


def _engines() -> list[Finding]:
    """Return why engines are not used, and what was timed on this machine, by checkpoint."""
    found = []
    for name, backend in BACKENDS.items():
        reasons = {precision: backend.refusal(precision) for precision in backend.precisions}
        missing = backend.missing("fp32")
        found += [Finding("engine", f"{name}: {missing}")] if missing else []
        found += [Finding("engine", f"{name} {one}: {why}") for one, why in reasons.items() if why and not missing]
    there = wanted("auto", "auto")
    for name, trials in _timings():
        choice = [one for one in trials if one.refused is None and (one.engine, one.precision) in there]
        fastest = min(choice, key=lambda one: one.seconds, default=None)
        timed = [f"{one}{' (auto takes it)' if one == fastest else ''}" for one in trials]
        found.append(Finding("engine", f"{name}: {'; '.join(timed)}"))
    return found


def _timings() -> Iterator[tuple[str, list[Trial]]]:
    for path in known_checkpoints():
        try:
            trials = tried_before(read_card(path))
        except CheckpointError:  # which is told of elsewhere
            continue
        if trials:
            yield path.stem, trials


def _time_of_a_tile(device: str) -> Finding:
    restorer = Restorer(RestoreSettings("derain", steps=1, device=device))
    side = min(512, auto_tile(restorer.device))
    tile = torch.rand(1, 3, side, side)
    generators = [torch.Generator().manual_seed(0)]
    restorer.restore_tensor(tile, [None], generators)
    began = time.perf_counter()
    restorer.restore_tensor(tile, [None], generators)
    seconds = time.perf_counter() - began
    engine = f"{restorer.engine.name} in {restorer.engine.precision}"
    return Finding("speed", f"{seconds / (side * side / 1e6):.2f} s a megapixel and step by {engine} on {restorer.device}")
