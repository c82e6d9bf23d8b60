"""irflow: restore photographs with rectified flows.

>>> from irflow_cli import Restorer, inpaint, load_checkpoint, restore, upscale
>>> clean = restore(picture, task="derain")          # PIL image or numpy array in, the same out
>>> whole = inpaint(picture, mask)                   # white, or True, where it is missing
>>> derain = Restorer("derain", device="cuda")       # loaded once
>>> many = derain.batch(pictures)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["Inpainter", "Restorer", "Upscaler", "__version__", "inpaint", "load_checkpoint", "restore", "upscale"]

if TYPE_CHECKING:
    from irflow_cli.api import Inpainter, Restorer, Upscaler, inpaint, load_checkpoint, restore, upscale


def __getattr__(name: str) -> Any:
    """Import the public names when first asked for, so that the command line's help never loads torch."""
    if name in __all__:
        return getattr(import_module("irflow_cli.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
