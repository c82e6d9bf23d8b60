"""Processes that train one network together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file

from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.training.record import LOG

MEAN = """
import torch
from irflow_cli.training.distributed import join_group
group, _ = join_group(torch.device("cpu"))
own = [torch.full((2, 3), float(group.rank)), torch.arange(3.0) * (1 + group.rank)]
with group:
    group.all_reduce_mean(own)
    print([t.flatten().tolist() for t in own], group.all_reduce_max(float(group.rank), torch.device("cpu")), group.first)
"""


def together(*command: str) -> list[subprocess.CompletedProcess[str]]:
    """Return how two processes ended that were started as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, *command],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    ends = [process.communicate(timeout=120) for process in running]
    return [subprocess.CompletedProcess(p.args, p.returncode, *end) for p, end in zip(running, ends, strict=True)]


def test_processes_share_their_gradients_and_agree() -> None:
    first, second = together("-c", MEAN)
    expected = [[0.5] * 6, [0.0, 1.5, 3.0]]
    assert (first.returncode, second.returncode) == (0, 0), (first.stderr, second.stderr)
    assert (first.stdout, second.stdout) == (f"{expected} 1.0 True\n", f"{expected} 1.0 False\n")


def test_two_processes_train_one_network(photographs: Path, tmp_path: Path) -> None:
    options = "--task denoise --size small --iterations 3 --batch 2 --crop 16 --validate-every 2 --device cpu"
    ends = together("-m", "irflow_cli", "train", str(photographs), "-o", str(tmp_path / "run"), *options.split())
    assert [end.returncode for end in ends] == [0, 0], [end.stderr for end in ends]
    assert [end.stdout for end in ends] == [f"{tmp_path / 'run' / 'best.safetensors'}\n", ""]
    card = load_checkpoint(tmp_path / "run" / "best.safetensors").card
    assert (card.trained["iterations"], card.trained["processes"]) == (3, 2)
    iterations = [json.loads(line)["iteration"] for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert iterations[-1] == 3
    assert iterations == sorted(set(iterations))  # one process writes


def test_an_error_ends_all_processes_with_its_own_code(tmp_path: Path) -> None:
    for _ in range(4):  # one that did not leave its group was aborted now and then
        options = ["--task", "denoise", "--minutes", "1", "--device", "cpu"]
        ends = together("-m", "irflow_cli", "train", str(tmp_path), "-o", str(tmp_path / "run"), *options)
        assert [end.returncode for end in ends] == [3, 3], [end.stderr for end in ends]
        assert ["no pictures below" in end.stderr for end in ends] == [True, True]


def test_two_processes_follow_the_curve_of_one_that_accumulates(photographs: Path, tmp_path: Path) -> None:
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
    ]
    options += ["--optimiser", "adamw"]
    ends = together("-m", "irflow_cli", "train", str(photographs), "-o", str(tmp_path / "two"), *options)
    assert [end.returncode for end in ends] == [0, 0], [end.stderr for end in ends]
    command = [sys.executable, "-m", "irflow_cli", "train", str(photographs), "-o", str(tmp_path / "one"), *options]
    subprocess.run([*command, "--accumulate", "2"], check=True, capture_output=True)
    one, two = (load_file(tmp_path / name / "state.safetensors") for name in ("one", "two"))
    moved = max(float((one[key] - one[key.replace("net.", "average.")]).abs().max()) for key in one if key.startswith("net."))
    apart = max(float((one[key] - two[key]).abs().max()) for key in one if key.startswith("net."))
    assert apart < 0.02 * moved


def test_a_run_goes_on_with_another_number_of_processes(photographs: Path, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    options = ["--task", "denoise", "--size", "small", "--batch", "2", "--crop", "16", "--device", "cpu"]
    command = ["-m", "irflow_cli", "train", str(photographs), "-o", run, *options]
    assert [end.returncode for end in together(*command, "--iterations", "2")] == [0, 0]
    subprocess.run([sys.executable, *command, "--iterations", "3", "--resume", "--accumulate", "2"], check=True)
    assert load_checkpoint(tmp_path / "run" / "best.safetensors").card.trained["iterations"] in (2, 3)
    state = load_file(tmp_path / "run" / "state.safetensors")
    assert all(tensor.isfinite().all() for tensor in state.values())
