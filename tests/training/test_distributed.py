"""Processes that train one network together."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from safetensors.torch import load_file

from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.training.record import LOG

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")

MEAN = """
from irflow_cli.training.distributed import join_group
group, _ = join_group(torch.device("cpu"))
own = [torch.full((2, 3), float(group.rank)), torch.arange(3.0) * (1 + group.rank)]
with group:
    group.all_reduce_mean(own)
    print([t.flatten().tolist() for t in own], group.all_reduce_max(float(group.rank), torch.device("cpu")), group.first)
"""

FORKED = """
import json, os, sys
import torch
import irflow_cli.training.loop  # once for all, which is quicker
from irflow_cli.cli.app import main

place, ports, code, argv = json.loads(sys.argv[1])
for turn, port in enumerate(ports):
    children = []
    for rank in range(2):
        child = os.fork()
        if child == 0:
            for number in (1, 2):
                os.dup2(os.open(f"{place}/{turn}-{rank}.{number}", os.O_WRONLY | os.O_CREAT), number)
            os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            sys.argv = ["irflow", *argv]
            ended = 99
            try:
                ended = exec(code)
            except SystemExit as end:
                ended = end.code
            sys.stdout.flush()
            os._exit(ended or 0)
        children.append(child)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), flush=True)
"""


class End(NamedTuple):
    """How a process ended, and what it printed."""

    code: int
    out: str
    err: str


def free_port() -> int:
    """Return the number of a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def together(tmp_path: Path) -> Callable[..., list[tuple[End, End]]]:
    """Return a function that gives how two processes ended, so many times, which began as torchrun begins them: with `irflow`
    and its arguments, or with other code."""

    def call(*argv: object, code: str = "main()", times: int = 1) -> list[tuple[End, End]]:
        place = tmp_path / "said"
        place.mkdir(exist_ok=True)
        told = json.dumps([str(place), [free_port() for _ in range(times)], code, [str(one) for one in argv]])
        command = [sys.executable, "-c", FORKED, told]
        codes = subprocess.run(command, text=True, capture_output=True, check=True, timeout=300).stdout.split()
        said = [
            [(place / f"{turn}-{rank}.{number}").read_text() for number in (1, 2)] for turn in range(times) for rank in (0, 1)
        ]
        ends = [End(int(code), *texts) for code, texts in zip(codes, said, strict=True)]
        return list(zip(ends[::2], ends[1::2], strict=True))

    return call


def test_processes_share_their_gradients_and_agree(together) -> None:
    [(first, second)] = together(code=MEAN)
    expected = [[0.5] * 6, [0.0, 1.5, 3.0]]
    assert (first.code, second.code) == (0, 0), (first.err, second.err)
    assert (first.out, second.out) == (f"{expected} 1.0 True\n", f"{expected} 1.0 False\n")


def test_two_processes_train_one_network(together, photographs: Path, tmp_path: Path) -> None:
    options = "--task denoise --size small --iterations 3 --batch 2 --crop 16 --validate-every 2 --device cpu"
    [ends] = together("train", photographs, "-o", tmp_path / "run", *options.split())
    assert [end.code for end in ends] == [0, 0], ends
    assert [end.out for end in ends] == [f"{tmp_path / 'run' / 'best.safetensors'}\n", ""]
    card = load_checkpoint(tmp_path / "run" / "best.safetensors").card
    assert (card.trained["iterations"], card.trained["processes"]) == (3, 2)
    iterations = [json.loads(line)["iteration"] for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert iterations[-1] == 3
    assert iterations == sorted(set(iterations))  # one process writes


def test_an_error_ends_all_processes_with_its_own_code(together, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    options = ["--task", "denoise", "--minutes", "1", "--device", "cpu"]
    for ends in together("train", tmp_path / "empty", "-o", tmp_path / "run", *options, times=4):
        assert [end.code for end in ends] == [3, 3], ends  # one that did not leave its group was aborted now and then
        assert ["no pictures below" in end.err for end in ends] == [True, True]


def test_two_processes_follow_the_curve_of_one_that_accumulates(together, photographs: Path, tmp_path: Path, irflow) -> None:
    options = [
        "--task",
        "denoise",
        "--size",
        "small",
        "--iterations",
        "3",
        "--batch",
        "2",
        "--crop",
        "16",
        "--device",
        "cpu",
        "--warmup",
        "1",
        "--optimiser",
        "adamw",
    ]
    [ends] = together("train", photographs, "-o", tmp_path / "two", *options)
    assert [end.code for end in ends] == [0, 0], ends
    assert irflow("train", photographs, "-o", tmp_path / "one", *options, "--accumulate", 2).code == 0
    one, two = (load_file(tmp_path / name / "state.safetensors") for name in ("one", "two"))
    moved = max(float((one[key] - one[key.replace("net.", "average.")]).abs().max()) for key in one if key.startswith("net."))
    apart = max(float((one[key] - two[key]).abs().max()) for key in one if key.startswith("net."))
    assert apart < 0.02 * moved


def test_a_run_goes_on_with_another_number_of_processes(together, photographs: Path, tmp_path: Path, irflow) -> None:
    options = ["--task", "denoise", "--size", "small", "--batch", "2", "--crop", "16", "--device", "cpu"]
    command = ["train", photographs, "-o", tmp_path / "run", *options]
    [ends] = together(*command, "--iterations", 2)
    assert [end.code for end in ends] == [0, 0], ends
    assert irflow(*command, "--iterations", 3, "--resume", "--accumulate", 2).code == 0
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").card.trained["iterations"] == 3
    state = load_file(tmp_path / "run" / "state.safetensors")
    assert all(tensor.isfinite().all() for tensor in state.values())
