"""Metrics of perception that other libraries measure, each imported when it is asked for. Nothing is downloaded.

SSIMULACRA 2 and FLIP need no weights. ST-LPIPS is learned; its package brings its own: `pip install --no-deps stlpips_pytorch`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import cv2
import torch
from torch import Tensor

from irflow_cli import extras
from irflow_cli.bench.sets import pixels_of

METRICS = "torchmetrics.functional.image"
NEEDS = {  # by metric: the module, and what to run where it is not there
    "vif": (METRICS, extras.hint("metrics")),
    "ssimulacra2": ("ssimulacra2", extras.hint("metrics")),
    "flip": ("flip_evaluator", extras.hint("metrics")),
    "st_lpips": ("stlpips_pytorch", "run `pip install --no-deps stlpips_pytorch`"),
    **dict.fromkeys(("lpips", "dists", "fid", "kid"), (METRICS, extras.hint("metrics"))),
}
UNUSED = ("torchvision", "torchvision.models", "IPython", "torchsummary")  # what ST-LPIPS imports and does not use with AlexNet


def lacking() -> dict[str, str]:
    """Return the metrics whose library is not installed, or does not load, each with what to do about it."""
    found = {}
    for name, (module, advice) in NEEDS.items():
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            found[name] = advice
        elif module == METRICS and (trouble := _trouble(module)):
            found[name] = f"torchmetrics does not load ({trouble}); is torchvision one of this torch? else uninstall it"
    return found


def _trouble(module: str) -> str:
    """Return why a module cannot be imported, empty where it can: a torchvision of another torch fails in many ways."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def torchmetrics_function(name: str, scale: float = 1, **options: object) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function of torchmetrics on pictures (B, 3, H, W) in [0, 1], times `scale`."""

    def measure(image: Tensor, reference: Tensor) -> Tensor:
        from torchmetrics.functional import image as library

        return getattr(library, name)(image * scale, reference * scale, **options)

    return measure


def ssimulacra2(image: Tensor, reference: Tensor) -> float:
    """Return SSIMULACRA 2 of pictures (1, 3, H, W) in [0, 1]: 100 for equal ones, 90 hardly to be told apart, below 0 far."""
    from ssimulacra2 import compute_ssimulacra2

    clean, seen = (io.BytesIO(cv2.imencode(".png", pixels_of(one)[..., ::-1])[1].tobytes()) for one in (reference, image))
    return compute_ssimulacra2(clean, seen)


def flip(image: Tensor, reference: Tensor) -> float:
    """Return the mean of the map of FLIP (Andersson et al. 2020) of pictures (1, 3, H, W) in [0, 1]: 0 for equal ones, to 1.

    At 67 pixels per degree, its usual distance.
    """
    import flip_evaluator

    clean, seen = (one[0].permute(1, 2, 0).contiguous().numpy() for one in (reference, image))
    return float(flip_evaluator.evaluate(clean, seen, "LDR", applyMagma=False)[1])


def st_lpips(image: Tensor, reference: Tensor) -> float:
    """Return ST-LPIPS (arXiv 2207.13686) by AlexNet of pictures (1, 3, H, W) in [0, 1]: 0 for equal ones; lower is nearer."""
    with torch.inference_mode():
        return float(_shift_tolerant()(image, reference, normalize=True))


@functools.cache
def _shift_tolerant() -> torch.nn.Module:
    """Return the network of ST-LPIPS with the weights that its package holds."""
    with _standing_in(UNUSED), contextlib.redirect_stdout(io.StringIO()):
        from stlpips_pytorch import stlpips  # pyright: ignore[reportMissingImports]

        return stlpips.LPIPS(net="alex", variant="shift_tolerant").eval()


@contextlib.contextmanager
def _standing_in(names: tuple[str, ...]) -> Iterator[None]:
    """Put empty modules where those of these names do not load, as long as something is imported that does not use them."""
    missing = [name for name in names if _trouble(name)]
    for name in missing:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(models=sys.modules[name], embed=None, summary=None)  # what is imported from them
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]
