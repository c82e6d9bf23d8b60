"""What a run was made with: versions, the machine, and how it was used."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import irflow_cli
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.runtime.device import choose_device, choose_precision

# Packages whose code is measured.
PACKAGES = (
    "opencv-python",
    "opencv-python-headless",
    "scikit-image",
    "PyWavelets",
    "bm3d",
    "numpy",
    "torchmetrics",
    "spandrel",
)


def environment(settings: RestoreSettings) -> dict[str, str]:
    """Return the name and value of all that metrics of quality and speed hang on beside pictures and weights."""
    device = choose_device(settings.device)
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "irflow": irflow_cli.__version__,
        "torch, Python": f"{torch.__version__}, {platform.python_version()}",
        "packages": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "device, precision": f"{device}, {str(choose_precision(settings.precision, device)).removeprefix('torch.')}",
        "threads": str(torch.get_num_threads()),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    try:
        lines: Iterable[str] = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = ()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
