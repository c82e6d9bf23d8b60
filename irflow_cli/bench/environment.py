"""What a run was made with: versions, the machine, and how it was used."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version

import torch

import irflow_cli
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.runtime.device import choose_device, choose_precision, precision_name, processor

# Packages whose code is measured.
PACKAGES = (
    "opencv-python",
    "opencv-python-headless",
    "scikit-image",
    "PyWavelets",
    "bm3d",
    "numpy",
    "torchmetrics",
    "ssimulacra2",
    "flip-evaluator",
    "stlpips_pytorch",
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
        "device, precision": f"{device}, {computing(settings, device)}",
        "threads": str(torch.get_num_threads()),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def computing(settings: RestoreSettings, device: torch.device) -> str:
    """Return the precision, as asked for, and the engine where it may be another than torch."""
    if device.type == "cpu":
        return settings.precision if settings.engine == "torch" else f"{settings.precision} of {settings.engine}"
    return precision_name(choose_precision(settings.precision, device))
