"""Public networks that you have fetched, measured beside irflow on the same pictures.

    python benchmarks/networks.py folder/ denoise cbsd68/ --degrade noise:25
    python benchmarks/networks.py folder/ derain rain100h/

looks below folder/ for files that it knows by their names - FFDNet and DnCNN as their authors publish them for MatConvNet
(`*.mat`, which needs h5py), PReNet as its authors publish it (`PReNet*/net_latest.pth`) - and for all that spandrel loads, and
prints one table. Nothing is downloaded, and nothing in a file is run. Denoisers that need a level get --sigma, else
irflow's own estimate; the file's name says what a network was trained for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irflow_cli.bench.baselines import third_party_network
from irflow_cli.bench.methods import Method, identity_of, in_process
from irflow_cli.bench.records import failures, markdown, table
from irflow_cli.bench.request import BenchRequest, Sweep
from irflow_cli.bench.run import bench, prepare
from irflow_cli.bench.sets import pixels_of, unit
from irflow_cli.engines.noise import noise_of
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import CheckpointError, IrflowError, NothingToDo
from irflow_cli.regular import digest_regular

Part = tuple[str, Tensor | None, Tensor | None]


class Layers(nn.Module):
    """A chain of convolutions and rectifiers as MatConvNet writes it, with or without a level of noise beside its input.

    parts: (kind, weight, bias) of each layer: "conv", "relu", "concat" (the level comes in) or "SubP" (half the size, or back).
    residual: what comes out is the noise.
    """

    def __init__(self, parts: list[Part]) -> None:
        super().__init__()
        self.kinds = [kind for kind, _, _ in parts]
        self.weights = nn.ParameterList(weight for _, weight, _ in parts if weight is not None)
        self.biases = nn.ParameterList(bias for _, _, bias in parts if bias is not None)
        self.residual = "concat" not in self.kinds

    def forward(self, noisy: Tensor, sigma: float) -> Tensor:
        """Return the clean estimate of pictures (B, 3, H, W) in [0, 1] with noise sigma, 0-255 scale."""
        height, width = noisy.shape[-2:]
        x, number, halved = F.pad(noisy, (0, width % 2, 0, height % 2), mode="replicate"), 0, False
        for kind in self.kinds:
            if kind == "conv":
                x, number = F.conv2d(x, self.weights[number], self.biases[number], padding=1), number + 1
            elif kind == "relu":
                x = x.relu()
            elif kind == "concat":
                x = torch.cat([x, torch.full_like(x[:, :1], sigma / 255)], dim=1)
            else:  # columns count before rows, unlike in torch
                shuffled = (F.pixel_shuffle if halved else F.pixel_unshuffle)(x.transpose(-1, -2), 2)
                x, halved = shuffled.transpose(-1, -2), True
        x = x[..., :height, :width]
        return noisy - x if self.residual else x


class PReNet(nn.Module):
    """PReNet (arXiv 1901.09221): six times the same residual blocks behind a recurrent layer, written from its tensors."""

    def __init__(self) -> None:
        super().__init__()

        def conv(source: int, wide: int) -> nn.Conv2d:
            return nn.Conv2d(source, wide, 3, padding=1)

        self.conv0, self.conv = nn.Sequential(conv(6, 32)), nn.Sequential(conv(32, 3))
        for gate in "ifgo":
            setattr(self, f"conv_{gate}", nn.Sequential(conv(64, 32)))
        for number in range(1, 6):
            setattr(self, f"res_conv{number}", nn.Sequential(conv(32, 32), nn.ReLU(), conv(32, 32)))

    def forward(self, rainy: Tensor, sigma: float) -> Tensor:
        """Return pictures (B, 3, H, W) in [0, 1] without rain; they have no level."""
        x, state = rainy, rainy.new_zeros((len(rainy), 32, *rainy.shape[-2:]))
        cell = state
        for _ in range(6):
            x = torch.cat([self.conv0(torch.cat([rainy, x], dim=1)).relu(), state], dim=1)
            take, keep, give = (getattr(self, f"conv_{gate}")(x).sigmoid() for gate in "ifo")
            cell = keep * cell + take * self.conv_g(x).tanh()  # type: ignore[operator]
            x = state = give * cell.tanh()
            for number in range(1, 6):
                x = (getattr(self, f"res_conv{number}")(x).relu() + x).relu()
            x = self.conv(x) + rainy
        return x


def _pointed_at(file: Any, cell: Any) -> list[Any]:
    """Return what a cell array of a MatConvNet file refers to."""
    return [file[one] for one in np.ravel(cell[()])]


def read_layers(path: Path) -> nn.Module:
    """Return the network of a MatConvNet file. Raises CheckpointError without h5py, and for another file."""
    try:
        import h5py  # pyright: ignore[reportMissingImports] - for this script alone
    except ImportError:
        raise CheckpointError(f"{path} needs h5py: pip install h5py") from None
    try:
        with h5py.File(path, "r") as file:
            parts: list[Part] = []
            for layer in _pointed_at(file, file["net/layers"]):
                kind = "".join(map(chr, np.ravel(layer["type"][()])))
                if kind != "conv":
                    parts.append((kind, None, None))
                    continue
                weight, bias = (torch.from_numpy(np.asarray(one)) for one in _pointed_at(file, layer["weights"]))
                parts.append((kind, weight.transpose(-1, -2).contiguous(), bias.ravel()))
    except (OSError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a network of MatConvNet ({error})") from None
    return Layers(parts)


def read_prenet(path: Path) -> nn.Module:
    """Return PReNet with the weights of a file, which is not unpickled but for them. Raises CheckpointError for another."""
    net = PReNet()
    try:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise CheckpointError(f"{path} is not PReNet ({type(error).__name__})") from None
    return net


@dataclass(frozen=True)
class Public:
    """A kind of file: its task, how it is found below a folder, and how it is read."""

    task: str
    pattern: str
    read: Callable[[Path], nn.Module]


PUBLIC = (
    Public("denoise", "*FFDNet*color*.mat", read_layers),
    Public("denoise", "*DnCNN*color*.mat", read_layers),
    Public("denoise", "*color_sigma*.mat", read_layers),
    Public("denoise", "*Color_Blind*.mat", read_layers),
    Public("derain", "PReNet*/net_latest.pth", read_prenet),
)


def public_methods(folder: Path, task: str, sigma: float | None) -> list[Method]:
    """Return a method for every public network of a task below a folder, sorted by path; files of PUBLIC first, then all else
    that spandrel loads. Raises NothingToDo without any, CheckpointError for a damaged file of PUBLIC."""
    found: dict[Path, Public | None] = {}
    for entry in PUBLIC:
        found |= dict.fromkeys(sorted(folder.rglob(entry.pattern)), entry)
    known = {path for path in folder.rglob("*") if path.suffix in (".pth", ".pt", ".safetensors", ".ckpt")}
    found |= dict.fromkeys(sorted(known - set(found)))
    methods = []
    for path, entry in found.items():
        if entry is None:
            try:
                methods.append(third_party_network(path, RestoreSettings(task, device="cpu")))
            except IrflowError as error:
                print(f"{path} is passed over: {error}", file=sys.stderr)
        elif entry.task == task:
            methods.append(_method(path, folder, entry.read(path).eval(), sigma))
    if not methods:
        raise NothingToDo(f"no network for {task} that is known here lies below {folder}")
    return methods


def _method(path: Path, folder: Path, net: nn.Module, sigma: float | None) -> Method:
    """Return a network as a method, named by its path below the folder."""

    @torch.inference_mode()
    def work(pixels: np.ndarray) -> np.ndarray:
        return pixels_of(net(unit(pixels), noise_of(pixels) if sigma is None else sigma))

    place = path.relative_to(folder)
    name = place.parent.as_posix() if path.stem == "net_latest" else place.with_suffix("").as_posix()
    digest, count = digest_regular(path)[:12], sum(weight.numel() for weight in net.parameters())
    return Method(name, in_process(work), identity_of(digest, sigma), f"{place} ({digest})", parameters=count)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table. Returns the exit code: 1 when a method failed on a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the networks lie")
    parser.add_argument("task", choices=["denoise", "derain"])
    parser.add_argument("data", type=Path, help="as of `irflow bench`")
    parser.add_argument("--degrade", help="as of `irflow bench`")
    parser.add_argument("--crop", type=int, help="as of `irflow bench`")
    parser.add_argument("--sigma", type=float, help="the noise given to all; irflow's estimate without it")
    parser.add_argument("--steps", default="1", help="irflow's own, such as 1,2,4")
    parser.add_argument("--methods", default="irflow", help="as of `irflow bench`")
    parser.add_argument("--metrics", help="as of `irflow bench`")
    given = parser.parse_args(arguments)
    steps = tuple(map(int, given.steps.split(",")))
    settings = RestoreSettings(given.task, min(steps), sigma=given.sigma)
    metrics = tuple(given.metrics.split(",")) if given.metrics else ()
    try:
        methods = public_methods(given.folder, given.task, given.sigma)
        others = tuple(given.methods.split(","))
        run = prepare(BenchRequest(given.data, settings, Sweep(steps), given.degrade, others, crop=given.crop, metrics=metrics))
        records = list(bench(replace(run, methods=(*run.methods, *methods))))
    except IrflowError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    failed = failures(records)
    for line in failed:
        print(line, file=sys.stderr)
    print("\n".join(markdown(table(records, given.data.resolve().name))))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
