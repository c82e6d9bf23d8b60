"""Which processor works, and in which precision."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from irflow_cli.errors import DeviceError, UsageError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")  # variables by which instructions are kept from torch and OpenVINO
WITH_BF16 = ("BF16", "FP16", "AMX", "ALL", "DEFAULT")  # what is in their values that leave bfloat16
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "std::bad_alloc",
    "Failed to allocate",
    "MPS backend out of memory",
)  # as torch and engines say it


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`: auto, cpu, cuda, cuda:N or mps.

    auto means CUDA, MPS, CPU, the first that is there. Raises DeviceError for a named device that is missing and UsageError
    for a name that is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"unknown `device` {name!r}; there are auto, cpu, cuda, cuda:N or mps") from None
    there = {
        "cpu": True,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if device.type not in there:
        raise UsageError(f"irflow does not run on `device` {name!r}; use auto, cpu, cuda, cuda:N or mps")
    if not there[device.type]:
        raise DeviceError(f"`device` {name} is not available on this machine; use `device` auto or `device` cpu")
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the arithmetic of the network: auto is bfloat16 on CUDA devices that have it, float32 elsewhere.

    Raises UsageError for a name that is none.
    """
    if name in PRECISIONS:
        return PRECISIONS[name]
    if name != "auto":
        raise UsageError(f"unknown `precision` {name!r}; there are auto, {', '.join(PRECISIONS)}")
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def choose_training_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the arithmetic of a network that is trained: auto is bfloat16 also on an x86 processor that has it, where a step
    takes two thirds of the time. Weights, sums of gradients and the optimiser stay in float32 either way."""
    if name == "auto" and device.type == "cpu" and platform.machine() in ("x86_64", "AMD64") and has_bf16():
        return torch.bfloat16
    return choose_precision(name, device)


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def precision_name(dtype: torch.dtype) -> str:
    """Return the name of an arithmetic, a key of PRECISIONS."""
    return next(name for name, known in PRECISIONS.items() if known == dtype)


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    names = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def limits() -> dict[str, str]:
    """Return those of LIMITS that are set, and their values."""
    return {name: os.environ[name] for name in LIMITS if os.environ.get(name)}


def bf16_kept_away() -> str | None:
    """Return which variable keeps bfloat16 from torch and OpenVINO, with its value; None where none does."""
    away = (f"{name}={value}" for name, value in limits().items() if not any(word in value.upper() for word in WITH_BF16))
    return next(away, None)


def has_bf16() -> bool:
    """Return whether the processor computes in bfloat16 itself, as far as the system or torch tells, and no variable keeps that
    away. Without, it is slower than float32."""
    if bf16_kept_away():
        return False
    words = {word for line in _cpuinfo() if line.startswith(("flags", "Features")) for word in line.split()}
    known = getattr(torch.cpu, "get_capabilities", dict)()
    words |= {name for name, there in known.items() if there}
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


@functools.cache
def _cpuinfo() -> tuple[str, ...]:
    """Return what Linux tells of its processors, line by line; nothing elsewhere."""
    try:
        return tuple(Path("/proc/cpuinfo").read_text().splitlines())
    except OSError:
        return ()


def memory_of(device: torch.device) -> tuple[float, float] | None:
    """Return the free and the whole memory of a device in bytes; None where it is not known."""
    if device.type == "cuda":
        free, whole = torch.cuda.mem_get_info(device)
        return float(free), float(whole)
    path = Path("/proc/meminfo")
    if device.type != "cpu" or not path.exists():
        return None
    kib = dict(line.split(":", 1) for line in path.read_text().splitlines())
    free, whole = (1024.0 * int(kib[name].split()[0]) for name in ("MemAvailable", "MemTotal"))
    return free, whole


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return the context in which a network runs in `dtype`."""
    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


def out_of_memory(error: Exception) -> bool:
    """Return whether Python, or an engine on whatever device, found no memory."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(words in str(error) for words in NO_MEMORY)
