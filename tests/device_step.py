"""Builds steps of training on a device that has no kernels, and prints a line of JSON each: the case, what went wrong, and how
many operations its draws and its optimisers launched.

Under FakeTensorMode operations know shapes and devices alone. Whatever asks for a value - `.item()`, `.tolist()`, `if tensor`,
boolean indexing, `nonzero` - raises, and so does mixing devices. That is what a GPU would be waited for, or fail at. A copy
from one device to another raises, too, where the host would wait for its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend as register

from irflow_cli.nets import NetSpec
from irflow_cli.tasks import TASKS
from irflow_cli.training import sampling
from irflow_cli.training.dataset import Corpus
from irflow_cli.training.loop import Run
from irflow_cli.training.optimisers import make_optimisers
from irflow_cli.training.options import TrainRequest

register("nokernel")
DEVICE = torch.device("nokernel", 0)
SPEC = NetSpec(widths=(8, 16), depths=(1, 1), embedding=16)
WAITS: dict[str, Callable[[Tensor], object]] = {
    "item": lambda loss: loss.item(),
    "condition": lambda loss: bool(loss > 0),
    "boolean index": lambda loss: loss[loss > 0],
    "nonzero": lambda loss: loss.nonzero(),
    "two devices": lambda loss: loss + torch.rand(3),
    "copy that blocks": lambda loss: torch.ones(3).to(loss),
    "copy into place that blocks": lambda loss: loss.copy_(torch.ones(())),
}


class Generator(torch.Generator):
    """A generator that says it is of the device; its numbers do not matter here."""

    device = DEVICE

    def __new__(cls, device: object = None) -> Generator:
        return super().__new__(cls)


class Launches(TorchDispatchMode):
    """Counts operations that are no views: a kernel or more each, which the host has to launch."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Count an operation and do it."""
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


class Waited(Exception):
    """A copy between devices whose end the host waits for."""


class NoBlockingCopies(TorchDispatchMode):
    """Lets through copies between devices alone that the host does not wait for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Do an operation, or raise Waited."""
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default:
            target, waits = kwargs.get("device") or args[0].device, not kwargs.get("non_blocking")
        elif func is torch.ops.aten.copy_.default:
            target, waits = args[1].device, not (len(args) > 2 and args[2])
        else:
            return func(*args, **kwargs)
        if waits and torch.device(target) != args[0].device:
            raise Waited(f"{args[0].device} to {target}, {tuple(args[0].shape)}")
        return func(*args, **kwargs)


def step(task: str, mode: FakeTensorMode, counts: dict[str, int], paired: bool = False, **options: int) -> Tensor:
    """Return the loss of a step of a task: crops, degradations, network, gradient, optimisers, average. What is
    launched goes to `counts`. paired: the corpus holds degraded pictures, too; options: of the request."""
    request = TrainRequest(Path("photos"), Path("run"), task, spec=SPEC, iterations=1, batch=24, crop=32, consistency_every=1)
    request = replace(request, **options)
    request = replace(request, self_conditioned=task in ("derain", "deraindrop"), condition=task == "derain")
    run = Run(request, torch.device("cpu"))
    corpus = Corpus.of([torch.zeros(6 if paired else 3, 48, 40, dtype=torch.uint8)] * 3, paired, torch.device("cpu"))

    def moved(tensor: Tensor) -> Tensor:
        return mode.from_tensor(tensor.detach()).to(DEVICE)

    with mode:
        for net in (run.net, run.averaged):
            for module in net.modules():
                for name, parameter in list(module.named_parameters(recurse=False)):
                    module.register_parameter(name, torch.nn.Parameter(moved(parameter), requires_grad=net is run.net))
                for name, buffer in list(module.named_buffers(recurse=False)):
                    module.register_buffer(name, moved(buffer), persistent=False)
        run.optimisers = make_optimisers(run.net, request)
        for group in (group for optimiser in run.optimisers for group in optimiser.param_groups):
            group["fused"] = False  # whose kernels need a real device
        corpus = replace(corpus, pixels=moved(corpus.pixels))
        layers = torch.rand(4, 1, 64, 64, device=DEVICE)
        with NoBlockingCopies(), Launches() as draws:
            batches = list(sampling.Sampler(request, corpus, layers, run.group).batches(0))
        for source, _ in batches:
            assert all(tensor.device == DEVICE for tensor in source), [tensor.device for tensor in source]
            assert source.degraded.shape == (24, 3, 32, 32)
        with NoBlockingCopies():
            loss = run.learn(request, lambda x, t, degraded: run.net(x, t, degraded), batches, 1.0)
        with NoBlockingCopies(), Launches() as updates:
            run.optimisers[-1].step()
        counts |= {"draws": draws.count, "muon": updates.count}
        assert all(p.grad is not None and p.grad.device == DEVICE for p in run.net.parameters())
    assert loss.device == DEVICE
    return loss


def tell(case: str, work: Callable[[], object], counts: dict[str, int]) -> None:
    """Print what became of a case: null, or the first line of what went wrong and where; and what it launched."""
    wrong = None
    try:
        work()
    except Exception as error:
        lines, at = str(error).splitlines(), error.__traceback__
        while at is not None and at.tb_next is not None and "torch" not in at.tb_next.tb_frame.f_code.co_filename:
            at = at.tb_next
        place = "" if at is None else f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"
        wrong = f"{place} {type(error).__name__} {lines[0] if lines else ''}"
    print(json.dumps({"case": case, "wrong": wrong, **counts}), flush=True)


def main() -> None:
    """Tell of a step of every task, and of every way to wait."""
    torch.Generator = Generator  # type: ignore[misc]
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    for task in TASKS:
        counts: dict[str, int] = {}
        tell(task, lambda task=task, counts=counts: step(task, mode, counts), counts)
    tell("pairs", lambda: step("derain", mode, {}, paired=True), {})
    tell("drawn ahead", lambda: step("denoise", mode, {}, accumulate=2, prefetch=2), {})
    with mode, NoBlockingCopies():
        loss = torch.rand((), device=DEVICE)
        for name, wait in WAITS.items():
            tell(name, lambda wait=wait: wait(loss), {})


if __name__ == "__main__":
    main()
