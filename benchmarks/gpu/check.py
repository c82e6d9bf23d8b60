"""Self-check and speeds on a device: is a step there the step of the CPU, and how many pictures a second does each network see?

    python benchmarks/gpu/check.py PACK --device cuda --out facts.json [--networks denoise:large] [--batch 256] [--compile]

For each network, with the batches and options of `train.py`: whether the loss and the gradient of one batch on the device are
those of the CPU in float32, to the tolerance of bfloat16; whether the host waits for the device in a step; pictures a second of
the whole step (its crops, degradations, network, optimisers), eager and with --compile compiled, and as a share of the bare
loop of forward and backward on one batch; and the kernels that take the most time. Each part that breaks is told in a line,
and the others go on.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from train import COMMON, PLAN

from irflow_cli.runtime.device import choose_device
from irflow_cli.training.dataset import Corpus, load_corpus
from irflow_cli.training.distributed import ProcessGroup
from irflow_cli.training.loop import Run, forward_of
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.sampling import Sampler, load_layers

ROOT = Path(__file__).resolve().parents[2]
NEAR = 0.05  # part by which the loss in bfloat16 may differ
ALONG = 0.9  # cosine that its gradient has at least


def speed(work: Callable[[], object], device: torch.device, seconds: float, pictures: int) -> float:
    """Return pictures a second of repeated work, after two rounds to warm up."""
    for _ in range(2):
        work()
    _finish(device)
    began, rounds = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(4):
            work()
        rounds += 4
        _finish(device)
    return rounds * pictures / (time.perf_counter() - began)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


@functools.cache
def corpus_of(photos: Path, crop: int, device: torch.device) -> Corpus:
    """Return the photographs that are trained on, on the device; once for all networks of one crop."""
    return load_corpus(photos, crop, device)[0]


class Subject:
    """A task's training on a device: what is timed."""

    def __init__(self, task: str, size: str, given: argparse.Namespace, device: torch.device) -> None:
        network = next(one for one in PLAN if one.task == task)
        weights = ROOT / "weights" / f"{task}.safetensors"
        asked: dict[str, Any] = {**COMMON, **network.options, "size": size}
        asked |= {"batch": given.batch or network.batch, "crop": given.crop or network.crop, "iterations": 1}
        asked |= {"init": str(weights) if weights.exists() else None}  # a fresh network's answer is nothing, on every device
        asked |= {"rain_layers": given.pack / "layers" if task == "derain" else None}
        self.request = TrainRequest(given.pack / "photos", Path("unused"), task, **asked)
        self.device, self.layers = device, load_layers(self.request, device)
        self.corpus = corpus_of(self.request.data, self.request.crop, device)

    def step(self, asked: TrainRequest) -> Callable[[], object]:
        """Return a whole step."""
        run = Run(asked, self.device)
        forward, sampler = forward_of(asked, run.net, self.device), self.sampler(asked)
        return lambda: run.learn(asked, forward, sampler.batches(run.iteration), 1e-3)

    def sampler(self, asked: TrainRequest) -> Sampler:
        """Return what draws its batches."""
        return Sampler(asked, self.corpus, self.layers, ProcessGroup())

    def bare(self, asked: TrainRequest) -> Callable[[], object]:
        """Return forward and backward on one batch."""
        return self.bare_of(Run(asked, self.device), asked)

    def bare_of(self, run: Run, asked: TrainRequest) -> Callable[[], object]:
        """Return the same for a run."""
        forward = forward_of(asked, run.net, self.device)
        source, generator = next(self.sampler(asked).batches(0))

        def work() -> None:
            run.net.zero_grad(set_to_none=True)
            run.loss(asked, forward, source, generator)[0].backward()

        return work

    def draws(self, asked: TrainRequest) -> Callable[[], object]:
        """Return the drawing of one batch, whose share of a step is one in `prefetch`."""
        sampler = self.sampler(replace(asked, prefetch=1, batch=asked.batch * asked.prefetch))
        return lambda: list(sampler.batches(0))

    def updates(self, asked: TrainRequest) -> Callable[[], object]:
        """Return a step of the optimisers, without gradients of its own."""
        run = Run(asked, self.device)
        self.bare_of(run, asked)()
        return lambda: [optimiser.step() for optimiser in run.optimisers]

    def speeds(self, asked: TrainRequest, seconds: float) -> str:
        """Return pictures a second of the whole step and of its parts."""
        whole, alone, updates = (
            speed(make(asked), self.device, seconds, asked.batch) for make in (self.step, self.bare, self.updates)
        )
        draws = speed(self.draws(asked), self.device, seconds, asked.batch * asked.prefetch)
        parts = f"forward and backward {alone:.0f}, draws {draws:.0f}, optimisers {updates:.0f}"
        return f"{whole:.0f} pictures/s, {whole / alone:.2f} of the bare loop; alone: {parts}"

    def kernels(self, asked: TrainRequest, steps: int = 4, most: int = 12) -> dict[str, str]:
        """Return the share of the device's time, in percent, that the longest kernels of a step take, by their names."""
        step = self.step(asked)
        step()
        _finish(self.device)
        own = "self_device_time_total" if self.device.type == "cuda" else "self_cpu_time_total"
        with torch.profiler.profile() as profile:
            for _ in range(steps):
                step()
            _finish(self.device)
        found = [event for event in profile.key_averages() if self.device.type == "cpu" or "CUDA" in str(event.device_type)]
        total = sum(getattr(event, own) for event in found) or 1
        found.sort(key=lambda event: getattr(event, own), reverse=True)
        return {
            event.key[:150]: f"{100 * getattr(event, own) / total:.1f} in {event.count / steps:g}" for event in found[:most]
        }

    def agreement(self) -> str:
        """Return whether one small batch, drawn on the device, has the same loss and gradient there in bfloat16 as on the CPU
        in float32, to NEAR and ALONG, and both."""
        small = replace(self.request, batch=min(self.request.batch, 8), at_start=1.0, prefetch=1)
        run = Run(small, self.device)
        source, generator = next(self.sampler(small).batches(0))
        losses, gradients, drawn = [], [], generator.get_state()
        for place, precision in ((self.device, "bf16"), (torch.device("cpu"), "fp32")):
            asked, net = replace(small, precision=precision), run.net.to(place)
            moved = type(source)(*(tensor.to(place) for tensor in source))
            net.zero_grad(set_to_none=True)
            generator.set_state(drawn)  # what a prior begins in is drawn in a step
            loss = run.loss(asked, forward_of(asked, net, place), moved, generator)[0]
            loss.backward()
            losses.append(float(loss))
            gradients.append(torch.cat([one.grad.flatten().float().cpu() for one in net.parameters() if one.grad is not None]))
        cosine = float(torch.nn.functional.cosine_similarity(*gradients, dim=0))
        agrees = abs(losses[0] / losses[1] - 1) < NEAR and cosine > ALONG
        both = f"loss {losses[0]:.4f}, on the CPU {losses[1]:.4f}; cosine of the gradients {cosine:.4f}"
        return f"{'agrees' if agrees else 'DIFFERS'}: {both}"

    def waits(self, asked: TrainRequest) -> str:
        """Return whether the host waits for a GPU in a step, by what the driver's calls say."""
        if self.device.type != "cuda":
            return "known of a GPU alone"
        step = self.step(asked)
        step()  # the first one makes what is kept
        torch.cuda.set_sync_debug_mode("error")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return "none"


def main() -> None:
    """Read the command line, and write what is found after every task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=0, help="that of train.py's plan unless given")
    parser.add_argument("--crop", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=[f"{one.task}:{one.size}" for one in PLAN], metavar="TASK:SIZE")
    parser.add_argument("--compile", action="store_true", help="time compiled networks, too; each takes a while to compile")
    given = parser.parse_args()
    device = choose_device(given.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    found: dict[str, object] = {"device": name, "torch": torch.__version__}
    print(f"{name}, torch {torch.__version__}")

    def keep(network: str, name: str, work: Callable[[], object]) -> None:
        try:
            fact = work()
        except Exception as error:
            fact = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        found[f"{network}, {name}"] = fact
        given.out.write_text(json.dumps(found, indent=1))
        print(f"{network}, {name}: {fact if isinstance(fact, str) else 'see the file'}", flush=True)

    subjects: dict[str, Subject] = {}

    def begin(network: str) -> list[int]:
        task, size = network.split(":")
        one = subjects[network] = Subject(task, size, given, device)
        return [one.request.batch, one.request.crop]

    def memory() -> str:
        return f"{torch.cuda.max_memory_allocated() / 2**20:.0f} MiB"

    for network in given.networks:
        keep(network, "batch and crop", partial(begin, network))
    for network, subject in subjects.items():
        keep(network, "device in bf16 beside the CPU in fp32", subject.agreement)
        keep(network, "waits in a step", partial(subject.waits, replace(subject.request, precision="bf16")))
    for network, subject in subjects.items():
        asked = replace(subject.request, precision="bf16")
        keep(network, "kernels of an eager step, % of the time and calls", partial(subject.kernels, asked))
    for compiled in (False, True) if given.compile else (False,):
        for network, subject in subjects.items():
            asked = replace(subject.request, precision="bf16", compile=compiled)
            keep(network, "compiled bf16" if compiled else "eager bf16", partial(subject.speeds, asked, given.seconds))
            if device.type == "cuda":
                keep(network, "most memory", memory)
                torch.cuda.reset_peak_memory_stats()


if __name__ == "__main__":
    main()
