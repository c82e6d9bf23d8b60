"""Every command in machines that are not as they should be: streams closed, full or left, shares, a folder that is gone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
from drawn import scene
from PIL import Image
from safetensors.torch import save

from irflow_cli.cli.app import command_line
from irflow_cli.cli.config import commands_of
from irflow_cli.errors import CheckpointError
from irflow_cli.runtime.checkpoints import load_checkpoint, read_card

# Of every command: what it is given (A a picture, B another, OUT a folder that is not there yet), and its exit code.
COMMANDS = {
    "restore": (["A", "--task", "derain", "--checkpoint", "NET", "-o", "OUT"], 0),
    "inpaint": (["A", "--mask-box", "2,2,4,4", "--checkpoint", "PRIOR", "-o", "OUT"], 0),
    "upscale": (["A", "--checkpoint", "PRIOR", "-o", "OUT"], 0),
    "degrade": (["A", "--kind", "noise", "-o", "OUT"], 0),
    "compare": (["A", "B", "-o", "OUT.html"], 0),
    "serve": (["OUT"], 2),
    "train": (["OUT", "--task", "derain"], 2),
    "bench": (
        [
            "FOLDER",
            "--task",
            "denoise",
            "--degrade",
            "noise:25",
            "--methods",
            "opencv-nlm",
            "--metrics",
            "psnr",
            "--report",
            "OUT",
        ],
        0,
    ),
    "doctor": (["--help"], 0),
    "models list": ([], 0),
    "models show": (["derain"], 0),
    "models pull": (["ftp://x/y"], 2),
    "models verify": (["NET"], 0),
    "models rm": (["nothing"], 4),
    "models path": ([], 0),
    "models convert": (["A"], 4),
    "models export": (["A"], 4),
    "config show": ([], 0),
}

# How a machine is not as it should be: what is done to a process before it begins.
ENVIRONMENTS = {
    "usual": "",
    "stderr, stdin closed": "os.close(0); sys.stdin = None; os.close(2); sys.stderr = None",
    "stderr full": "os.dup2(os.open('/dev/full', os.O_WRONLY), 2)",
    "stdout closed": "os.close(1); sys.stdout = None",
    "stdout full": "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)",
    "no folder": "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
    "share": "os.chmod = refuse(errno.EOPNOTSUPP); os.fsync = refuse(errno.EINVAL)",
}

WALK = """
import errno, json, os, sys
import torch
import irflow_cli.bench.run, irflow_cli.services.compare, irflow_cli.services.models  # once for all, which is quicker
import irflow_cli.services.degrade_files, irflow_cli.services.restore_files, irflow_cli.services.inpaint_files
from irflow_cli.cli.app import main, run

torch.set_num_threads(1)
commands, environments, words = json.loads(sys.argv[1])

def refuse(number):
    def refused(*values, **more):
        raise OSError(number, os.strerror(number))
    return refused

told = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
for command in ("restore", "inpaint", "upscale", "degrade", "compare", "bench", "models list", "config show"):  # loads the rest
    given = (words.get(word, word.replace("OUT", os.path.abspath(f"warm-{command}"))) for word in commands[command][0])
    run([*command.split(), *given])
os.dup2(told, 1)

for place, setup in enumerate(environments.values()):
    for command, (given, _) in commands.items():
        out = f"out-{place}-{command.replace(' ', '-')}"
        argv = [words.get(word, word.replace("OUT", os.path.abspath(out))) for word in given]
        child = os.fork()
        if child == 0:
            for number in (1, 2):
                os.dup2(os.open(f"{out}.{number}", os.O_WRONLY | os.O_CREAT), number)
            exec(setup)
            sys.argv = ["irflow", *command.split(), *argv]
            code = 99
            try:
                main()
            except SystemExit as end:
                code = end.code
            os._exit(code or 0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def words(out: str) -> list[str]:
    """Return what a command printed but for its figures, which are times, too."""
    return re.findall(r"[a-z_]+", out)


def test_every_command_is_walked() -> None:
    assert set(COMMANDS) == set(commands_of(typer.main.get_command(command_line())))


@pytest.fixture(scope="module")
def walked(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[tuple[str, str], tuple[int, str, str]]:
    """Return exit code, standard output and standard error of every command in every environment."""
    make = request.getfixturevalue("tiny_checkpoint")
    folder = tmp_path_factory.mktemp("walk")
    (folder / "in").mkdir()
    for name, seed in (("a.png", 0), ("b.png", 1)):
        Image.fromarray(scene(24, 32, seed)).save(folder / "in" / name)
    words = {"A": folder / "in/a.png", "B": folder / "in/b.png", "FOLDER": folder / "in"}
    words |= {"NET": make("derain"), "PRIOR": make("prior")}
    told = json.dumps([COMMANDS, ENVIRONMENTS, {key: str(value) for key, value in words.items()}])
    done = subprocess.run([sys.executable, "-c", WALK, told], capture_output=True, text=True, check=True, cwd=folder)
    codes = iter(done.stdout.split())
    found = {}
    for place, environment in enumerate(ENVIRONMENTS):
        for command in COMMANDS:
            out, err = ((folder / f"out-{place}-{command.replace(' ', '-')}.{number}").read_text() for number in (1, 2))
            found[command, environment] = int(next(codes)), out.replace(f"out-{place}", "out"), err
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_machine_that_is_not_as_it_should_be_is_no_failure_or_one_line(walked, environment: str) -> None:
    for command, (_, code) in COMMANDS.items():
        found, out, err = walked[command, environment]
        usual = walked[command, "usual"]
        assert usual[0] == code, (command, usual)
        assert "Traceback" not in err, (command, err)
        if environment == "no folder":
            assert (found, err.count("\n"), "deleted" in err) == (2, 1, True), (command, err)
        elif environment in ("stdout closed", "stdout full") and usual[1] and "--help" not in COMMANDS[command][0]:
            assert found == {"stdout closed": 1, "stdout full": 5}[environment], (command, found, err)
            assert "standard output" in err.splitlines()[-1], (command, err)
        elif "--help" not in COMMANDS[command][0]:
            assert (found, words(out)) == (code, words(usual[1])), (command, found, err)


@pytest.mark.parametrize("option", ["--steps", "--tile", "--overlap", "--batch", "--seed", "--max-pixels", "--quality"])
@pytest.mark.parametrize("value", ["9" * 23, "-" + "9" * 23])
def test_numbers_beyond_all_bounds_are_one_line_or_work(irflow, picture_file, tiny_checkpoint, option: str, value: str) -> None:
    source = picture_file("a.png", 24, 32)
    done = irflow("restore", source, "--task", "derain", "--checkpoint", tiny_checkpoint("derain"), f"{option}={value}")
    assert done.code in (0, 1, 2)
    assert len(done.err.splitlines()) == (done.code != 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sigma_max": 0}, "sigma_max"),
        ({"sigma_max": -5}, "sigma_max"),
        ({"sigma_max": True}, "sigma_max"),
        ({"sigma_max": 1e9}, "sigma_max"),
        ({"widths": [True] * 4}, "sizes"),
        ({"depths": [True] * 4}, "sizes"),
        ({"embedding": True}, "sizes"),
        ({"dtype": torch.float8_e5m2}, "float8"),
    ],
)
def test_checkpoints_with_senseless_entries_are_one_line(tmp_path: Path, tiny_checkpoint, change: dict, said: str) -> None:
    source = load_checkpoint(tiny_checkpoint("denoise"))
    header = json.loads(read_card(source.path).to_json()) | {"digest": ""}
    place = header if "sigma_max" in change else header["spec"]
    place.update({key: value for key, value in change.items() if key != "dtype"})
    weights = {key: value.to(change.get("dtype", torch.float16)).contiguous() for key, value in source.net.state_dict().items()}
    path = tmp_path / "odd.safetensors"
    path.write_bytes(save(weights, {"irflow": json.dumps(header)}))
    with pytest.raises(CheckpointError, match=said) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_mask_from_a_pipe_is_one_line(irflow, picture_file, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = irflow("inpaint", picture_file("a.png", 24, 32), "--mask", tmp_path / "pipe")
    assert (done.code, len(done.err.splitlines()), "pipe" in done.err) == (2, 1, True)
