"""The defaults of torch, which a program that uses irflow may have set otherwise: we neither count on them nor change them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside = 0  # calls that are under way, in all threads
_theirs = torch.float32


@contextmanager
def usual_defaults() -> Iterator[None]:
    """Work with float32 on the CPU as torch's defaults, whatever they are, and leave them as they were.

    The default type is one of the whole process: while any call is under way in any thread it is float32.
    """
    global _inside, _theirs
    with _lock:
        if _inside == 0:
            _theirs = torch.get_default_dtype()
            if _theirs != torch.float32:
                torch.set_default_dtype(torch.float32)
        _inside += 1
    try:
        if torch.get_default_device().type == "cpu":
            yield
        else:
            with torch.device("cpu"):
                yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and torch.float32 != _theirs:
                torch.set_default_dtype(_theirs)
