"""The metrics of one restored picture, and what is suspicious about it."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from irflow_cli import metrics
from irflow_cli.bench.perceptual import flip, lacking, ssimulacra2, st_lpips, torchmetrics_function
from irflow_cli.bench.sets import unit
from irflow_cli.errors import UsageError
from irflow_cli.regular import read_regular
from irflow_cli.runtime.files import write_atomically

MISSING = float("nan")
FEATURES = 2**20  # bytes of a file of features, which has some 16 KiB
EQUAL = 100.0  # dB, for pictures that are the same


@dataclass(frozen=True)
class Scores:
    """Metrics of one picture, or the means over many; nan for what is missing or has no meaning.

    Measured on 8-bit outputs with a data range of 255 (1 in `metrics`). PSNR in dB, at most 100; psnr_y and ssim_y are of
    BT.601 luma (16 to 235); those after ms_ssim come from the libraries that `bench.perceptual` names. fid and kid are of whole
    sets, and stand with the last picture of one. Calls of a prior's network (nfe), time in seconds a megapixel, memory in MiB.
    """

    psnr: float = MISSING
    ssim: float = MISSING
    psnr_y: float = MISSING
    ssim_y: float = MISSING
    ms_ssim: float = MISSING
    vif: float = MISSING
    ssimulacra2: float = MISSING
    flip: float = MISSING
    st_lpips: float = MISSING
    lpips: float = MISSING
    dists: float = MISSING
    fid: float = MISSING
    kid: float = MISSING
    nfe: float = MISSING
    seconds_per_mp: float = MISSING
    peak_mib: float = MISSING


@dataclass(frozen=True)
class Metric:
    """How a metric is shown and which way is better; `smallest` side of a picture that has one; `weights` that it needs;
    `whole`: it is one of sets, not of pictures; how those of pictures are summed up."""

    title: str
    digits: int
    higher: bool
    smallest: int = 1
    measure: Callable[[Tensor, Tensor], float | Tensor] | None = None
    weights: str | None = None
    whole: bool = False
    sum_up: Callable[[list[float]], float] = statistics.fmean


INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
METRICS: dict[str, Metric] = {
    "psnr": Metric("PSNR", 2, True, 1, metrics.psnr),
    "ssim": Metric("SSIM", 4, True, 11, metrics.ssim),
    "psnr_y": Metric("PSNR-Y", 2, True, 1, metrics.psnr_y),
    "ssim_y": Metric("SSIM-Y", 4, True, 11, metrics.ssim_y),
    "ms_ssim": Metric("MS-SSIM", 4, True, 176, metrics.ms_ssim),
    "vif": Metric("VIF", 4, True, 41, torchmetrics_function("visual_information_fidelity", 255)),
    "ssimulacra2": Metric("SSIMULACRA2", 2, True, 8, ssimulacra2),
    "flip": Metric("FLIP", 4, False, 8, flip),
    "st_lpips": Metric("ST-LPIPS", 4, False, 32, st_lpips),
    "lpips": Metric(
        "LPIPS",
        4,
        False,
        64,
        torchmetrics_function("learned_perceptual_image_patch_similarity", net_type="alex", normalize=True),
        "alexnet-owt-7be5be79.pth",
    ),
    "dists": Metric(
        "DISTS",
        4,
        False,
        64,
        torchmetrics_function("deep_image_structure_and_texture_similarity", reduction="mean"),
        "vgg16-397923af.pth",
    ),
    "fid": Metric("FID", 2, False, weights=INCEPTION, whole=True),
    "kid": Metric("KID", 4, False, weights=INCEPTION, whole=True),
    "nfe": Metric("calls", 1, False),
    "seconds_per_mp": Metric("s/MP", 2, False, sum_up=statistics.median),  # for a machine is busy now and then
    "peak_mib": Metric("MiB", 0, False, sum_up=max),
}
LEAST = 10  # pictures of a set, below which FID and KID say nothing


def absent() -> dict[str, str]:
    """Return the metrics that cannot be had on this machine, each with what to do about it. Nothing is downloaded."""
    found = lacking()
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for name, metric in METRICS.items():
        weights, beside = metric.weights, "torch_fidelity" if metric.whole else "torchvision"
        if name in found:
            continue
        if weights and importlib.util.find_spec(beside) is None:
            found[name] = f"run `pip install {beside.replace('_', '-')}`, and put its backbone {weights} into {folder}"
        elif weights and not (folder / weights).is_file():
            found[name] = f"put its backbone {weights} into {folder}"
    return found


def left_out(asked: tuple[str, ...]) -> dict[str, str]:
    """Return the metrics that a run does without, each with the reason: those that cannot be had here, and, where some are
    asked for by name, all others. Raises UsageError for a name that is none, and for a metric that
    is asked for and cannot be had."""
    missing, known = absent(), [name for name, metric in METRICS.items() if metric.measure or metric.whole]
    for name in asked:
        if name not in known:
            raise UsageError(f"no metric is called {name!r}; there are {', '.join(known)}")
        if name in missing:
            raise UsageError(f"{METRICS[name].title} cannot be measured here: {missing[name]}")
    return {**missing, **{name: "it is not among `metrics`" for name in known if asked and name not in asked}}


def measure(pixels: np.ndarray, clean: np.ndarray, border: int, left_out: frozenset[str]) -> dict[str, float]:
    """Return the metrics of (H, W, 3) uint8 pixels against the clean ones, `border` pixels cut from each side.

    Metrics in `left_out`, and those for which the picture is too small, are not in the result.
    """
    inside = (slice(border, pixels.shape[0] - border), slice(border, pixels.shape[1] - border))
    image, reference = unit(pixels[inside]), unit(clean[inside])
    wanted = due(min(image.shape[-2:]), left_out)
    return {name: min(float(metric.measure(image, reference)), EQUAL) for name, metric in wanted.items() if metric.measure}


def due(side: int, left_out: frozenset[str]) -> dict[str, Metric]:
    """Return the metrics that a picture of this shorter side has, but for those left out."""
    there = {name: metric for name, metric in METRICS.items() if metric.measure is not None and name not in left_out}
    return {name: metric for name, metric in there.items() if side >= max(1, metric.smallest)}


class SetMetrics:
    """FID and KID of sets that come picture by picture: from the features that an Inception network finds in them.

    Torchmetrics does both; KID is the mean over 100 draws of at most 50 pictures, by a fixed seed. folder: where the features
    are kept, so that pictures which were measured before need not be restored again.
    """

    def __init__(self, left_out: frozenset[str], folder: Path | None = None) -> None:
        self.folder = folder
        self.names = [name for name, metric in METRICS.items() if metric.whole and name not in left_out]
        self.features: dict[object, list[tuple[Tensor, Tensor]]] = {}
        self.network = inception() if self.names else None

    def add(self, key: object, name: str, pixels: np.ndarray, clean: np.ndarray) -> None:
        """Take in a picture (H, W, 3) uint8 of the set `key` and the clean one beside it; keep their features as `name`."""
        if self.network is not None:
            with torch.inference_mode():
                both = [self.network((unit(one) * 255).byte()).reshape(1, -1).float() for one in (pixels, clean)]
            self.features.setdefault(key, []).append((both[0], both[1]))
            if self.folder is not None:
                write_atomically(
                    self.folder / f"{name}.safetensors", save({"pixels": both[0], "clean": both[1]}), overwrite=True
                )

    def recall(self, key: object, name: str) -> None:
        """Take in what was kept as `name`, if it was."""
        file = None if self.folder is None else self.folder / f"{name}.safetensors"
        if file is not None:
            with contextlib.suppress(OSError, SafetensorError, KeyError):  # what is damaged is as what is not there
                both = load(read_regular(file, FEATURES))
                self.features.setdefault(key, []).append((both["pixels"], both["clean"]))

    def of(self, key: object, count: int) -> dict[str, float] | None:
        """Return the metrics of the set `key`: None when not all its `count` pictures came, none of fewer than LEAST."""
        features = self.features.pop(key, [])
        if len(features) != count:
            return None
        if count < LEAST:
            return {}
        from torchmetrics.image.fid import FrechetInceptionDistance
        from torchmetrics.image.kid import KernelInceptionDistance

        given, made = _Given(features[0][0].shape[1]), {}
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that features are kept in memory, which they were before
            torch.manual_seed(0)
            for name in self.names:
                metric = (
                    FrechetInceptionDistance(given)
                    if name == "fid"
                    else KernelInceptionDistance(given, subset_size=min(count, 50))
                )
                for pixels, clean in features:
                    metric.update(pixels, real=False)
                    metric.update(clean, real=True)
                end = metric.compute()
                made[name] = float(end[0] if isinstance(end, tuple) else end)
        return made


class _Given(torch.nn.Module):
    """Stands where torchmetrics expects a network, for pictures whose features are known."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def inception() -> torch.nn.Module:
    """Return the Inception network of FID, from its file in torch's cache: (B, 3, H, W) uint8 in, (B, 2048) out."""
    from torchmetrics.image.fid import NoTrainInceptionV3

    weights = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION
    return NoTrainInceptionV3("inception-v3-compat", ["2048"], str(weights))


PLAIN = 8.0  # of 255, the deviation of a picture so plain that noise decides where it seems to be, and its contrast


def doubts(pixels: np.ndarray, clean: np.ndarray, what: str) -> tuple[str, ...]:
    """Return what is suspicious about pixels (H, W, 3) uint8 that should show the clean picture: moved, or another range.

    Not errors: real pairs can be off by a pixel, and a picture can be degraded in its contrast.
    """
    one, other = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (pixels, clean))
    found = []
    right, down = shift_of(one, other) if min(one.std(), other.std()) > PLAIN else (0, 0)
    if right or down:
        found.append(f"{what} is moved by about ({right}, {down}) pixels")
    contrast = one.std() / max(other.std(), 1e-9)
    likeness = float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.std() > 1 and other.std() > 1 else 0.0
    far = not 0.4 < contrast < 2.5 or (likeness > 0.98 and not 0.9 < contrast < 1.1)
    if other.std() > PLAIN and likeness < -0.98:
        found.append(f"{what} looks like the negative of the clean picture")
    elif other.std() > PLAIN and far:
        found.append(f"{what} has {contrast:.2f} times the contrast of the clean picture; is its range another?")
    small, wanted = (cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA).astype(np.float64) for image in (pixels, clean))
    miss = np.abs(small - wanted).mean()
    turned = {
        "its channels in another order": small[..., ::-1],
        "been mirrored": small[:, ::-1],
        "been turned over": small[::-1],
    }
    found += [
        f"{what} seems to have {how}" for how, image in turned.items() if miss > 2 and np.abs(image - wanted).mean() < miss / 3
    ]
    return tuple(found)


def shift_of(image: np.ndarray, reference: np.ndarray) -> tuple[int, int]:
    """Return by how many pixels (right, down) a grey picture (H, W) is moved against the reference: the peak of their phase
    correlation. (0, 0) where none stands out, and for pictures under 32 pixels."""
    if min(image.shape) < 32:
        return 0, 0
    window = np.outer(*(np.hanning(side) for side in image.shape))
    spectra = [np.fft.rfft2((picture - picture.mean()) * window) for picture in (image, reference)]
    cross = spectra[0] * spectra[1].conj()
    peaks = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=image.shape)
    top, left = (int(value) for value in np.unravel_index(peaks.argmax(), peaks.shape))
    if peaks[top, left] < 0.05 or peaks[top, left] < 2 * peaks[0, 0]:
        return 0, 0
    height, width = image.shape
    return (left + width // 2) % width - width // 2, (top + height // 2) % height - height // 2


def mean_of(group: list[Scores]) -> Scores:
    """Return the means of metrics over all, of times the median, of memory the most; those of sets, which stand with one
    picture, as they are. nan where a picture has none: the mean would be over others than the table says."""

    def summed_up(name: str) -> float:
        values = [getattr(one, name) for one in group]
        there = [value for value in values if not math.isnan(value)]
        complete = len(there) == len(values) or METRICS[name].whole
        return METRICS[name].sum_up(there) if there and complete else MISSING

    return Scores(**{field.name: summed_up(field.name) for field in fields(Scores)})
