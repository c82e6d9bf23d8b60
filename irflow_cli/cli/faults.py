"""What no command foresaw, in one line: what the system or Python ran out of, or a fault of irflow's own."""

from __future__ import annotations

import os

from irflow_cli.errors import FULL, DeviceError, DiskFull, IrflowError, UsageError

DEBUG = "IRFLOW_DEBUG"  # set to 1, a fault is printed with its traceback


def check_place() -> None:
    """Raise UsageError where the current folder has been deleted: names are looked up in it, and libraries load from it."""
    try:
        os.getcwd()  # noqa: PTH109 - nothing else is wanted of it
    except OSError:
        raise UsageError("the folder you are in has been deleted; change to one that is there") from None


def explained(error: Exception) -> IrflowError:
    """Return an error of any kind as one line with an exit code."""
    if isinstance(error, IrflowError):
        return error
    if isinstance(error, OSError):
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        return DiskFull(f"cannot write {said}; make room and run again") if error.errno in FULL else IrflowError(said)
    if isinstance(error, MemoryError):
        return DeviceError("not enough memory; free some, or give less at once")
    if isinstance(error, RecursionError):
        return UsageError("something that was given is nested too deeply")
    if isinstance(error, OverflowError):
        return UsageError(f"a number that was given is too large ({error})")
    return IrflowError(f"a fault in irflow itself ({type(error).__name__}: {error}); {DEBUG}=1 shows where, please report it")
