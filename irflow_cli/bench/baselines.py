"""The baselines: classical methods of known libraries, third-party networks, and any command. They get what irflow gets."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import torch

from irflow_cli import extras
from irflow_cli.bench.methods import Method, Result, identity_of, in_process, memory
from irflow_cli.bench.sets import pixels_of, unit
from irflow_cli.engines.noise import noise_of
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import CheckpointError, ImageError, UsageError
from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture
from irflow_cli.regular import digest_regular
from irflow_cli.runtime.device import choose_device

TIMEOUT = 600  # seconds a command may take for one picture
BY_SPANDREL = "networks that spandrel loads are computed by torch in fp32"  # said where something else is asked for


@dataclass(frozen=True)
class Baseline:
    """A method of a library: `apply(pixels, amount)`, pixels uint8 shaped as `Case` says; the amount is the noise, 0-255 scale,
    for denoise, and the scale for upscale. needs: module and the name to install it by."""

    task: str
    about: str
    apply: Callable[[np.ndarray, float], np.ndarray]
    needs: tuple[tuple[str, str], ...] = ()


def fast_means(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Return OpenCV's fast non-local means for colour pictures, with h of 0.6 sigma."""
    return cv2.fastNlMeansDenoisingColored(pixels, None, 0.6 * sigma, 0.6 * sigma, 7, 21)


def means(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Return scikit-image's non-local means with the settings its guide gives for a known sigma."""
    from skimage.restoration import denoise_nl_means

    level = sigma / 255
    options = {"h": 0.6 * level, "sigma": level, "patch_size": 5, "patch_distance": 6, "fast_mode": True}
    return _rounded(denoise_nl_means(_unit(pixels), channel_axis=-1, **options))


def wavelet(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Return scikit-image's wavelet shrinkage (BayesShrink, in YCbCr)."""
    from skimage.restoration import denoise_wavelet

    options = {"sigma": sigma / 255, "convert2ycbcr": True, "method": "BayesShrink", "rescale_sigma": True}
    return _rounded(denoise_wavelet(_unit(pixels), channel_axis=-1, **options))


def blocks(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Return BM3D of the package of that name, its profile for colour."""
    import bm3d  # pyright: ignore[reportMissingImports] - not for commercial use, so no extra of irflow brings it

    return _rounded(bm3d.bm3d_rgb(_unit(pixels), sigma / 255))


def _unit(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float64) / 255


def _rounded(values: np.ndarray) -> np.ndarray:
    return (values.clip(0, 1) * 255).round().astype(np.uint8)


def telea(pixels: np.ndarray, amount: float) -> np.ndarray:
    """Return OpenCV's inpainting by Telea's fast marching, radius 3."""
    return cv2.inpaint(np.ascontiguousarray(pixels[..., :3]), (pixels[..., 3] == 0).astype(np.uint8), 3, cv2.INPAINT_TELEA)


def navier_stokes(pixels: np.ndarray, amount: float) -> np.ndarray:
    """Return OpenCV's inpainting by Navier-Stokes, radius 3."""
    return cv2.inpaint(np.ascontiguousarray(pixels[..., :3]), (pixels[..., 3] == 0).astype(np.uint8), 3, cv2.INPAINT_NS)


def biharmonic(pixels: np.ndarray, amount: float) -> np.ndarray:
    """Return scikit-image's inpainting by the biharmonic equation."""
    from skimage.restoration import inpaint_biharmonic

    return _rounded(inpaint_biharmonic(_unit(pixels[..., :3]), pixels[..., 3] == 0, channel_axis=-1))


def bicubic(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Return OpenCV's bicubic interpolation."""
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def lanczos(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Return OpenCV's Lanczos interpolation over 8 x 8 pixels."""
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)


BASELINES: dict[str, Baseline] = {
    "opencv-nlm": Baseline("denoise", "OpenCV's fast non-local means, h = 0.6 sigma", fast_means),
    "nlm": Baseline("denoise", "scikit-image's non-local means, h = 0.6 sigma", means, (("skimage", "scikit-image"),)),
    "wavelet": Baseline(
        "denoise", "scikit-image's wavelets, BayesShrink", wavelet, (("skimage", "scikit-image"), ("pywt", "PyWavelets"))
    ),
    "bm3d": Baseline("denoise", "BM3D, by the package bm3d", blocks, (("bm3d", "bm3d"),)),
    "telea": Baseline("inpaint", "OpenCV's inpainting by Telea, radius 3", telea),
    "navier-stokes": Baseline("inpaint", "OpenCV's inpainting by Navier-Stokes, radius 3", navier_stokes),
    "biharmonic": Baseline("inpaint", "scikit-image's biharmonic inpainting", biharmonic, (("skimage", "scikit-image"),)),
    "bicubic": Baseline("upscale", "OpenCV's bicubic interpolation", bicubic),
    "lanczos": Baseline("upscale", "OpenCV's Lanczos interpolation", lanczos),
}


def known_baselines(names: tuple[str, ...], task: str, amount: float | None) -> list[Method]:
    """Return the baselines of BASELINES by name; `all` stands for those of the task that are installed.

    amount: as of `Baseline`. Without it denoisers are given irflow's own estimate, free: its time and memory are not theirs.
    Raises UsageError for a name that is none, a baseline of another task, or one whose library is missing.
    """
    found = []
    for name in names:
        if name == "all":
            found += [key for key, baseline in BASELINES.items() if baseline.task == task and not _missing(baseline)]
            continue
        if name not in BASELINES or BASELINES[name].task != task:
            fitting = [key for key, baseline in BASELINES.items() if baseline.task == task]
            raise UsageError(f"no baseline for {task} is called {name!r}; there are {', '.join(fitting) or 'none'}")
        missing = _missing(BASELINES[name])
        if missing:
            raise UsageError(f"baseline {name} needs {' and '.join(missing)}; run `pip install {' '.join(missing)}`")
        found.append(name)
    return [_known(name, amount) for name in dict.fromkeys(found)]


def _missing(baseline: Baseline) -> list[str]:
    return [package for module, package in baseline.needs if importlib.util.find_spec(module) is None]


def _known(name: str, amount: float | None) -> Method:
    baseline = BASELINES[name]

    def run(pixels: np.ndarray) -> Result:
        level = noise_of(pixels) if amount is None and baseline.task == "denoise" else amount or 0.0
        return in_process(lambda given: baseline.apply(given, level))(pixels)

    versions = [cv2.__version__, *(version(package) for _, package in baseline.needs)]
    return Method(name, run, identity_of(name, baseline.about, amount, versions), baseline.about)


def third_party_network(path: Path, settings: RestoreSettings, scale: int = 1) -> Method:
    """Return any network that spandrel loads, on whole pictures, by torch in float32: for inpaint one that takes a mask, for
    upscale one of the scale. Raises UsageError when spandrel is missing and CheckpointError for a file it does not know or
    another network."""
    device, task = choose_device(settings.device), settings.task
    try:
        import spandrel  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UsageError(f"`baselines` {path} needs spandrel ({error}); {extras.hint('baselines')}") from None
    try:
        model = spandrel.ModelLoader(device=device).load_from_file(path)
    except Exception as error:
        raise CheckpointError(f"{path}: spandrel does not load it ({error or type(error).__name__})") from None
    kind = spandrel.MaskedImageModelDescriptor if task == "inpaint" else spandrel.ImageModelDescriptor
    if not isinstance(model, kind) or model.scale != scale or model.input_channels != 3:
        wanted = "pictures and masks" if task == "inpaint" else "colour pictures"
        size = "the same size" if scale == 1 else f"{scale} times the size"
        raise CheckpointError(f"{path}: not a network from {wanted} to pictures of {size}")

    @torch.inference_mode()
    def work(pixels: np.ndarray) -> np.ndarray:
        hole = (torch.from_numpy(pixels[..., 3:] == 0).float().permute(2, 0, 1)[None].to(device),) if task == "inpaint" else ()
        return pixels_of(model(unit(pixels[..., :3]).to(device), *hole).cpu())

    parameters = sum(weight.numel() for weight in model.model.parameters())
    digest = digest_regular(path)[:12]
    about = f"{path.name} ({digest}), {model.architecture.name}, whole pictures; its training set is not in the file"
    as_asked = settings.engine in ("auto", "torch") and settings.precision in ("auto", "fp32")
    notes = () if as_asked else (BY_SPANDREL,)
    return Method(path.stem, in_process(work, device), identity_of(digest), about, parameters=parameters, notes=notes)


def command(line: str) -> Method:
    """Return any command, given a PNG by {in} and writing a picture to {out}; its start counts in its time.

    It is no shell line, and runs with the threads that irflow has (OMP_NUM_THREADS). Raises UsageError for a line without
    {in} and {out}.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:  # a quotation mark without another
        raise UsageError(f"`commands` {line!r} is not understood: {error}") from None
    if not all(any(mark in word for word in words) for mark in ("{in}", "{out}")):
        raise UsageError(f"`commands` is a line such as 'tool {{in}} {{out}}', got {line!r}")

    def run(pixels: np.ndarray) -> Result:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "in.png"), Path(folder, "out.png")
            source.write_bytes(encode_picture(Picture(pixels, None, "PNG"), "PNG")[0])
            filled = [word.replace("{in}", str(source)).replace("{out}", str(target)) for word in words]
            began = time.perf_counter()
            peak = watched(filled, Path(folder, "errors"))
            seconds = time.perf_counter() - began
            return Result(read_picture(target).rgb8(), seconds, peak)

    options = [word for word in words[1:] if word not in ("{in}", "{out}")]
    named, content = " ".join([Path(words[0]).name, *options]), [_content_of(word) for word in words]
    return Method(named, run, identity_of(words, content), f"the command `{line}`")


def _content_of(word: str) -> str:
    """Return what a word of a command stands for, if it is a program or a file: the hash of its bytes."""
    path = Path(shutil.which(word) or word)
    try:
        return digest_regular(path) if path.is_file() else ""
    except OSError:
        return ""


def watched(words: list[str], errors: Path) -> float:
    """Run a command and return the most memory that it and what it started held, in MiB, nan where the system does not tell.

    Raises ImageError when it fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    peak = float("nan")
    try:
        with (
            errors.open("wb") as file,
            subprocess.Popen(words, stdout=file, stderr=file, env=environment, start_new_session=True) as process,
            _ended(process),
        ):
            began = time.perf_counter()
            while process.poll() is None:
                held = [memory("VmRSS", one) for one in _family(process.pid)]
                alone = memory("VmHWM", process.pid)  # which knows peaks between two looks
                peak = float(np.fmax.reduce([peak, alone, sum(held)]))  # nan only where all are
                if time.perf_counter() - began > TIMEOUT:
                    raise ImageError(f"{words[0]} took more than {TIMEOUT} seconds")
                time.sleep(0.005)
    except OSError as error:
        raise ImageError(f"{words[0]}: {error.strerror or error}") from None
    if process.returncode:
        said = errors.read_text(errors="replace").strip().splitlines()
        raise ImageError(f"{words[0]} ended with {process.returncode}{': ' + said[-1][:200] if said else ''}")
    return peak


@contextlib.contextmanager
def _ended(process: subprocess.Popen) -> Iterator[None]:
    """Kill a process that is left early, with all that it started, which would take the next method's time."""
    try:
        yield
    except BaseException:
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        raise


def _family(process: int) -> Iterator[int]:
    """Yield a process and all that it started, while they live, where /proc tells."""
    yield process
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in file.read_text().split():
                yield from _family(int(child))
